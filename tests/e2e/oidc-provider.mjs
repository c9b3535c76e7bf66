// An OpenID provider with one client, on loopback:
//
//   node oidc-provider.mjs TOOLS KEYS PORT
//
// TOOLS is the folder that holds node_modules, KEYS a JSON file with the private keys (a JWK set,
// made if it is missing). PORT 0 takes a free one. It writes its issuer to standard
// output, then a line for each request.
//
// The client names a resource in its request for a token: `https://AUDIENCE/?alg=ALG&ttl=SECONDS` makes an access token
// for that audience, signed with that algorithm, and good for so long.

import { generateKeyPairSync } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [tools, keys, port] = process.argv.slice(2);

if (!existsSync(keys)) {
  const pairs = { RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }), ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }) };
  const made = Object.entries(pairs).map(([alg, pair]) => ({ ...pair.privateKey.export({ format: "jwk" }), alg, use: "sig" }));
  writeFileSync(keys, JSON.stringify({ keys: made }));
}

const installed = createRequire(`${tools}/package.json`).resolve("oidc-provider");
const { default: Provider } = await import(pathToFileURL(installed));

const configuration = {
  jwks: JSON.parse(readFileSync(keys)),
  clients: [
    {
      client_id: "dashboard",
      client_secret: "a secret of the tests",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  extraTokenClaims: () => ({ groups: ["staff", "data-analysts"] }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => {
        const { hostname, searchParams } = new URL(resource);
        return {
          audience: hostname,
          scope: "",
          accessTokenFormat: "jwt",
          accessTokenTTL: Number(searchParams.get("ttl")),
          jwt: { sign: { alg: searchParams.get("alg") } },
        };
      },
    },
  },
};

const server = createServer();
server.listen(Number(port), "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const answer = new Provider(issuer, configuration).callback();
  server.on("request", (request, response) => {
    console.log(`${request.method} ${request.url}`);
    answer(request, response);
  });
  console.log(issuer);
});
