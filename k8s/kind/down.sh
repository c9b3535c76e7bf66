#!/usr/bin/env bash
# Removes the cluster that up.sh made, with everything in it.
set -euo pipefail
kind delete cluster --name company-activity
