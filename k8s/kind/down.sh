#!/usr/bin/env bash
# Removes the cluster created by up.sh, with everything in it.
set -euo pipefail
kind delete cluster --name company-activity
