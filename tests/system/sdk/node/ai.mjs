// What applications do with Vercel's AI SDK, with models behind every dialect: ai.mjs ORIGIN, asserting each answer.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The SDKs lie where they were installed, not beside this file.
const require = createRequire(process.env.SDK_FOLDER + "/");
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { APICallError, generateText, jsonSchema, stepCountIs, streamText, tool } = await load("ai");
const { createOpenAICompatible } = await load("@ai-sdk/openai-compatible");

const origin = process.argv[2];
const content = "Hello, dragoman";
const messages = [{ role: "user", content }];
const provider = createOpenAICompatible({ name: "dragoman", baseURL: `${origin}/v1`, apiKey: "of-no-use", includeUsage: true });
const inputSchema = jsonSchema({ type: "object", properties: { city: { type: "string" } }, required: ["city"] });

for (const upstream of ["openai", "azure", "anthropic", "ollama", "bedrock", "gemini"]) {
  const think = provider(`${upstream}/think`);
  const reply = await generateText({ model: think, messages, maxRetries: 0 });
  assert.equal(reply.text, content);
  assert.equal(reply.finishReason, "stop");
  assert.ok(reply.usage.outputTokens > 0, JSON.stringify(reply.usage));

  const streamed = streamText({ model: think, messages, maxRetries: 0 });
  let text = "";
  for await (const piece of streamed.textStream) text += piece;
  assert.equal(text, content);
  assert.equal(await streamed.finishReason, "stop");
  assert.ok((await streamed.usage).outputTokens > 0);

  // The tool is called by the SDK itself, and its results go back in a second step.
  const asked = [];
  const weather = tool({ inputSchema, execute: ({ city }) => (asked.push(city), "sunny") });
  const model = provider(`${upstream}/parallel-tools`);
  const worked = streamText({ model, messages, tools: { weather }, stopWhen: stepCountIs(2), maxRetries: 0 });
  await worked.consumeStream();
  const steps = await worked.steps;
  assert.deepEqual(steps.map((step) => step.finishReason), ["tool-calls", "stop"]);
  assert.equal(asked.length, 2);
  assert.ok(asked.every((city) => typeof city === "string" && city), JSON.stringify(asked));

  await assert.rejects(
    generateText({ model: provider(`${upstream}/status-429`), messages, maxRetries: 0 }),
    (error) => APICallError.isInstance(error) && error.statusCode === 429 && error.isRetryable,
  );
  const errors = [];
  const broken = streamText({
    model: provider(`${upstream}/tokens-64+cut-3`),
    messages,
    maxRetries: 0,
    onError: ({ error }) => errors.push(error),
  });
  await broken.consumeStream();
  assert.equal(errors.length, 1);
}
console.log("ok");
