// An OpenID provider with two clients, on loopback:
//
//   node oidc-provider.mjs TOOLS KEYS PORT
//
// TOOLS is the folder that holds node_modules, KEYS a JSON file with the private keys (a JWK set,
// made if it is missing). PORT 0 takes a free one. It writes its issuer to standard
// output, then a line for each request.
//
// The client `dashboard` names a resource in its request for a token: `https://AUDIENCE/?alg=ALG&ttl=SECONDS` makes an access token
// for that audience, signed with that algorithm, and good for so long.
//
// The client `console` sends people here, to a form with the field `login`: whoever they say they are, they are. Their
// ID token has the group `operators` if they say `olga`, and `readers` besides.

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
    {
      client_id: "console",
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      // A native client may come back to any port of a loopback address.
      application_type: "native",
      redirect_uris: ["http://127.0.0.1/sign-in/return"],
      id_token_signed_response_alg: "RS256",
    },
  ],
  claims: { openid: ["sub", "groups"], profile: ["name"] },
  conformIdTokenClaims: false,
  cookies: { keys: ["a key of the tests"] },
  findAccount: (_, accountId) => ({
    accountId,
    claims: () => ({ sub: accountId, name: accountId, groups: accountId === "olga" ? ["readers", "operators"] : ["readers"] }),
  }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
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

// Signs in whoever fills in the form, and asks nobody for their consent.
async function interact(provider, request, response) {
  const { params } = await provider.interactionDetails(request, response);
  if (request.method === "GET") {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(
      `<!DOCTYPE html><html lang="en"><title>Provider of the tests</title><form method="post">` +
        `<label>Login <input name="login" required autofocus></label> <button>Sign in</button></form></html>`,
    );
    return;
  }
  let body = "";
  for await (const chunk of request) body += chunk;
  const accountId = new URLSearchParams(body).get("login");
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const result = { login: { accountId, remember: false }, consent: { grantId: await grant.save() } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

const server = createServer();
server.listen(Number(port), "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration);
  const answer = provider.callback();
  server.on("request", (request, response) => {
    console.log(`${request.method} ${request.url}`);
    if (request.url.startsWith("/interaction/")) {
      interact(provider, request, response).catch((error) => {
        response.statusCode = 400;
        response.end(`${error}`);
      });
    } else {
      answer(request, response);
    }
  });
  console.log(issuer);
});
