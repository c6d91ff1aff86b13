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
  const limited = `${upstream}/status-429`;
  const broken = `${upstream}/tokens-64+cut-3`;

  const chat = await openai.chat.completions.create({ model, messages });
  assert.equal(chat.choices[0].message.content, content);
  let text = "";
  for await (const chunk of await openai.chat.completions.create({ model, messages, stream: true }))
    text += chunk.choices[0]?.delta?.content ?? "";
  assert.equal(text, content);
  const called = await openai.chat.completions.create({ model: calling, messages, tools: functions });
  const [call] = called.choices[0].message.tool_calls;
  assert.equal(call.function.name, "weather");
  const pieces = openai.chat.completions.stream({ model: calling, messages, tools: functions });
  const [streamed] = (await pieces.finalChatCompletion()).choices[0].message.tool_calls;
  assert.deepEqual(JSON.parse(streamed.function.arguments), JSON.parse(call.function.arguments));
  const told = [...messages, called.choices[0].message, { role: "tool", tool_call_id: call.id, content: "sunny" }];
  const ended = await openai.chat.completions.create({ model: calling, messages: told, tools: functions });
  assert.equal(ended.choices[0].finish_reason, "stop");
  const answered = await openai.responses.create({ model: `${upstream}/echo`, input: content });
  assert.equal(answered.output_text, content);
  let spoken = "";
  for await (const event of await openai.responses.create({ model: `${upstream}/echo`, input: content, stream: true }))
    if (event.type === "response.output_text.delta") spoken += event.delta;
  assert.equal(spoken, content);
  await assert.rejects(
    openai.chat.completions.create({ model: `${upstream}/status-404`, messages }),
    (error) => error instanceof OpenAI.NotFoundError,
  );
  await assert.rejects(openai.chat.completions.create({ model: limited, messages }), (error) => error instanceof OpenAI.RateLimitError);
  await assert.rejects(async () => {
    for await (const _ of await openai.chat.completions.create({ model: broken, messages, stream: true }));
  }, OpenAI.APIError);

  const message = await anthropic.messages.create({ model, max_tokens: 100, messages });
  assert.equal(message.content[0].text, content);
  const asked = { model: calling, max_tokens: 100, tools: [{ name: "weather", input_schema: parameters }] };
  const final = await anthropic.messages.stream({ ...asked, messages }).finalMessage();
  const use = final.content.find((block) => block.type === "tool_use");
  assert.equal(use.name, "weather");
  assert.equal(use.input.city, JSON.parse(call.function.arguments).city);
  const result = { role: "user", content: [{ type: "tool_result", tool_use_id: use.id, content: "sunny" }] };
  const turns = [...messages, { role: "assistant", content: final.content }, result];
  assert.equal((await anthropic.messages.create({ ...asked, messages: turns })).stop_reason, "end_turn");
  await assert.rejects(
    anthropic.messages.create({ model: `${upstream}/status-404`, max_tokens: 9, messages }),
    (error) => error instanceof Anthropic.NotFoundError,
  );
  await assert.rejects(
    anthropic.messages.create({ model: limited, max_tokens: 9, messages }),
    (error) => error instanceof Anthropic.RateLimitError,
  );
  await assert.rejects(anthropic.messages.stream({ model: broken, max_tokens: 9, messages }).finalMessage(), Anthropic.APIError);

  assert.equal((await ollama.chat({ model, messages })).message.content, content);
  let said = "";
  for await (const part of await ollama.generate({ model, prompt: content, stream: true })) said += part.response;
  assert.equal(said, content);
  const uses = await ollama.chat({ model: calling, messages, tools: functions });
  assert.equal(uses.message.tool_calls[0].function.name, "weather");
  const results = [...messages, uses.message, { role: "tool", tool_name: "weather", content: "sunny" }];
  let last;
  for await (const part of await ollama.chat({ model: calling, messages: results, tools: functions, stream: true })) last = part;
  assert.ok(last.done && last.done_reason === "stop", JSON.stringify(last));
  await assert.rejects(ollama.chat({ model: `${upstream}/status-404`, messages }), (error) => error.status_code === 404);
  await assert.rejects(ollama.chat({ model: limited, messages }), (error) => error.status_code === 429);
  await assert.rejects(async () => {
    for await (const _ of await ollama.chat({ model: broken, messages, stream: true }));
  });
}
console.log("ok");
