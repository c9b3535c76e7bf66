// Makes a container in Azurite, if it is not there, and copies a folder's files to it.
//
//   node upload.mjs CONTAINER FOLDER SUBFOLDER
//
// FOLDER/SUBFOLDER/name becomes the blob SUBFOLDER/name. Azurite's image has Node but no client
// for blobs, so requests are signed here, with what AZURE_STORAGE_CONNECTION_STRING says.
import { createHmac } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const [container, folder, subfolder] = process.argv.slice(2);
const settings = Object.fromEntries(
  process.env.AZURE_STORAGE_CONNECTION_STRING.split(";")
    .filter(Boolean)
    .map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]),
);

async function put(path, query, body, headers, accepted) {
  const url = new URL(`${settings.BlobEndpoint}/${path}`);
  const signed = {
    ...headers,
    "x-ms-date": new Date().toUTCString(),
    "x-ms-version": "2021-12-02",
  };
  const names = Object.keys(signed).filter((name) => name.startsWith("x-ms-")).sort();
  const length = body.length === 0 ? "" : String(body.length);
  const text = [
    "PUT", "", "", length, "", "", "", "", "", "", "", "",
    ...names.map((name) => `${name}:${signed[name]}`),
    `/${settings.AccountName}${url.pathname}`,
    ...Object.entries(query).map(([key, value]) => `${key}:${value}`),
  ].join("\n");
  const signature = createHmac("sha256", Buffer.from(settings.AccountKey, "base64")).update(text).digest("base64");
  url.search = new URLSearchParams(query).toString();
  const response = await fetch(url, {
    method: "PUT",
    body,
    headers: { ...signed, authorization: `SharedKey ${settings.AccountName}:${signature}` },
  });
  if (!accepted.includes(response.status)) {
    throw new Error(`PUT ${path}: ${response.status} ${await response.text()}`);
  }
}

// 409: it is there already.
await put(container, { restype: "container" }, Buffer.alloc(0), {}, [201, 409]);
const files = folder ? (await readdir(join(folder, subfolder))).sort() : [];
for (const file of files) {
  const content = await readFile(join(folder, subfolder, file));
  await put(`${container}/${subfolder}/${file}`, {}, content, { "x-ms-blob-type": "BlockBlob" }, [201]);
}
console.log(`${container}: ${files.length} files copied`);
