// What an application does with the official openai SDK, unmodified: walk.mjs BASE_URL, asserting each answer.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The SDK lies where it was installed, not beside this file.
const require = createRequire(process.env.SDK_FOLDER + "/");
const { default: OpenAI } = await import(pathToFileURL(require.resolve("openai")).href);

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "of-no-use", maxRetries: 0 });
const messages = [{ role: "user", content: "Hello, dragoman" }];

const names = [];
for await (const model of client.models.list()) names.push(model.id);
assert.ok(names.includes("gpt-4o"), names.join());

const reply = await client.chat.completions.create({ model: "gpt-4o", messages });
const text = reply.choices[0].message.content;
assert.ok(text && !text.includes("think>"), text);

let streamed = "";
const stream = await client.chat.completions.create({ model: "gpt-4o", messages, stream: true });
for await (const chunk of stream) streamed += chunk.choices[0]?.delta?.content ?? "";
assert.equal(streamed, text);

const vectors = await client.embeddings.create({ model: "echo", input: ["a", "b"] });
assert.equal(vectors.data.length, 2);

await assert.rejects(
  client.chat.completions.create({ model: "status-404", messages }),
  (error) => error instanceof OpenAI.NotFoundError,
);
await assert.rejects(
  client.chat.completions.create({ model: "status-503", messages }),
  (error) => error instanceof OpenAI.InternalServerError,
);
console.log("ok");
