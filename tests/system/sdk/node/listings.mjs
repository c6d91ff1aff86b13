// What applications ask before they call, with the official SDKs of three vendors: listings.mjs ORIGIN, asserting each answer.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The SDKs lie where they were installed, not beside this file.
const require = createRequire(process.env.SDK_FOLDER + "/");
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { default: OpenAI } = await load("openai");
const { default: Anthropic } = await load("@anthropic-ai/sdk");
const { Ollama } = await load("ollama");

const origin = process.argv[2];
const openai = new OpenAI({ baseURL: `${origin}/v1`, apiKey: "of-no-use", maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: origin, apiKey: "of-no-use", maxRetries: 0 });
const ollama = new Ollama({ host: origin });

const listed = [];
for await (const model of openai.models.list()) listed.push(model.id);
assert.deepEqual([...new Set(listed.map((name) => name.split("/")[0]))], ["openai", "anthropic", "ollama"]);
assert.equal((await openai.models.retrieve(listed[0])).id, listed[0]);

// The SDK turns the pages.
const paged = [];
for await (const model of anthropic.models.list({ limit: 2 })) paged.push(model.id);
assert.deepEqual(paged, listed);
await assert.rejects(anthropic.models.retrieve("nobody"), (error) => error instanceof Anthropic.NotFoundError);
const messages = [{ role: "user", content: "three words here" }];
assert.ok((await anthropic.messages.countTokens({ model: "anthropic/echo", messages })).input_tokens > 0);
await assert.rejects(
  anthropic.messages.countTokens({ model: "openai/echo", messages }),
  (error) => error instanceof Anthropic.BadRequestError,
);

const tagged = listed.map((name) => (name.includes(":") ? name : `${name}:latest`));
assert.deepEqual((await ollama.list()).models.map((model) => model.name), tagged);
assert.deepEqual((await ollama.ps()).models.map((model) => model.name), tagged);
assert.match((await ollama.version()).version, /^\d+\.\d+\.\d+$/);
assert.equal((await ollama.show({ model: "ollama/echo" })).details.family, "simulator");
for (const upstream of ["openai", "ollama"]) {
  const model = `${upstream}/echo`;
  const vectors = await openai.embeddings.create({ model, input: ["one", "two words"] });
  assert.ok(vectors.data.every((entry) => entry.embedding.length === 8 && typeof entry.embedding[0] === "number"));
  assert.equal((await ollama.embed({ model, input: ["one", "two words"] })).embeddings.length, 2);
  assert.equal((await ollama.embeddings({ model, prompt: "one" })).embedding.length, 8);
}
for (const refused of [
  () => ollama.pull({ model: "openai/echo" }),
  () => ollama.create({ model: "openai/mine", from: "openai/echo" }),
  () => ollama.delete({ model: "openai/echo" }),
])
  await assert.rejects(refused(), (error) => error.status_code === 403 && error.error.includes("changes which models"));
console.log("ok");
