// What applications do with the official SDKs of three vendors, each with models behind every dialect: dialects.mjs ORIGIN, asserting each answer.
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
const content = "Hello, dragoman";
const messages = [{ role: "user", content }];
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const functions = [{ type: "function", function: { name: "weather", parameters } }];

const openai = new OpenAI({ baseURL: `${origin}/v1`, apiKey: "of-no-use", maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: origin, apiKey: "of-no-use", maxRetries: 0 });
const ollama = new Ollama({ host: origin });

for (const upstream of ["openai", "azure", "anthropic", "ollama", "bedrock", "gemini"]) {
  const model = `${upstream}/think`;
  const calling = `${upstream}/tools`;

  const chat = await openai.chat.completions.create({ model, messages });
  assert.equal(chat.choices[0].message.content, content);
  let text = "";
  for await (const chunk of await openai.chat.completions.create({ model, messages, stream: true }))
    text += chunk.choices[0]?.delta?.content ?? "";
  assert.equal(text, content);
  const called = await openai.chat.completions.create({ model: calling, messages, tools: functions });
  assert.equal(called.choices[0].message.tool_calls[0].function.name, "weather");
  await assert.rejects(
    openai.chat.completions.create({ model: `${upstream}/status-404`, messages }),
    (error) => error instanceof OpenAI.NotFoundError,
  );

  const message = await anthropic.messages.create({ model, max_tokens: 100, messages });
  assert.equal(message.content[0].text, content);
  const stream = anthropic.messages.stream({
    model: calling,
    max_tokens: 100,
    messages,
    tools: [{ name: "weather", input_schema: parameters }],
  });
  const use = (await stream.finalMessage()).content.find((block) => block.type === "tool_use");
  assert.equal(use.name, "weather");
  assert.equal(use.input.city, JSON.parse(called.choices[0].message.tool_calls[0].function.arguments).city);
  await assert.rejects(
    anthropic.messages.create({ model: `${upstream}/status-404`, max_tokens: 9, messages }),
    (error) => error instanceof Anthropic.NotFoundError,
  );

  assert.equal((await ollama.chat({ model, messages })).message.content, content);
  let said = "";
  for await (const part of await ollama.generate({ model, prompt: content, stream: true })) said += part.response;
  assert.equal(said, content);
  await assert.rejects(ollama.chat({ model: `${upstream}/status-404`, messages }), (error) => error.status_code === 404);
}
console.log("ok");
