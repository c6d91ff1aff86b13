"""What applications do beyond a plain chat, each with models behind every dialect that takes it: across.py ORIGIN, asserting each answer.

Plain servers of text, streams of the asynchronous clients, the Responses API, images, structured output, and reasoning.
"""

import asyncio
import base64
import sys

import anthropic
import ollama
import openai
from google import genai
from google.genai import types

QUESTION = "Hello, dragoman"
QUESTIONS = [{"role": "user", "content": QUESTION}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
PIXEL = "iVBORw0KGgo="
WORDS = "word0 word1 word2 word3 word4"
THOUGHT = "Let me think about it."
PLAIN = ["tgi", "custom"]
CHATS = ["openai", "azure", "anthropic", "ollama", "bedrock", "gemini"]


class Clients:
    def __init__(self, origin: str) -> None:
        options = {"api_key": "of-no-use", "max_retries": 0}
        http = types.HttpOptions(base_url=origin)
        self.openai = openai.OpenAI(base_url=f"{origin}/v1", **options)
        self.anthropic = anthropic.Anthropic(base_url=origin, **options)
        self.ollama = ollama.Client(host=origin)
        self.google = genai.Client(api_key="of-no-use", http_options=http)
        self.async_openai = openai.AsyncOpenAI(base_url=f"{origin}/v1", **options)
        self.async_anthropic = anthropic.AsyncAnthropic(base_url=origin, **options)
        self.async_ollama = ollama.AsyncClient(host=origin)


def plain(to: Clients, upstream: str) -> None:
    model = f"{upstream}/tokens-5"
    says = WORDS.__eq__
    reply = to.openai.chat.completions.create(model=model, messages=QUESTIONS)
    assert says(reply.choices[0].message.content) and reply.choices[0].finish_reason == "stop", reply
    reply = to.anthropic.messages.create(model=model, max_tokens=100, messages=QUESTIONS)
    assert says(reply.content[0].text) and reply.stop_reason == "end_turn", reply
    assert says(to.ollama.chat(model=model, messages=QUESTIONS).message.content)
    assert says(to.google.models.generate_content(model=model, contents=QUESTION).text)
    assert says(to.openai.responses.create(model=model, input=QUESTION).output_text)


async def streams(to: Clients, upstream: str) -> None:
    model = f"{upstream}/tokens-5"

    async def with_openai() -> str:
        chunks = await to.async_openai.chat.completions.create(model=model, messages=QUESTIONS, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices])

    async def with_responses() -> str:
        events = await to.async_openai.responses.create(model=model, input=QUESTION, stream=True)
        return "".join([event.delta async for event in events if event.type == "response.output_text.delta"])

    async def with_anthropic() -> str:
        async with to.async_anthropic.messages.stream(model=model, max_tokens=100, messages=QUESTIONS) as stream:
            return "".join([text async for text in stream.text_stream])

    async def with_ollama() -> str:
        parts = await to.async_ollama.chat(model=model, messages=QUESTIONS, stream=True)
        return "".join([part.message.content or "" async for part in parts])

    async def with_google() -> str:
        chunks = await to.google.aio.models.generate_content_stream(model=model, contents=QUESTION)
        return "".join([chunk.text or "" async for chunk in chunks])

    texts = await asyncio.gather(with_openai(), with_responses(), with_anthropic(), with_ollama(), with_google())
    assert set(texts) == {WORDS}, (upstream, texts)


def responses(to: Clients, upstream: str) -> None:
    model = f"{upstream}/echo"
    reply = to.openai.responses.create(model=model, input=QUESTION, instructions="Be brief.")
    assert reply.output_text == QUESTION and reply.status == "completed", reply
    assert reply.usage.output_tokens > 0, reply
    tools = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}]
    with to.openai.responses.stream(model=f"{upstream}/tools", input=QUESTION, tools=tools) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
    call = final.output[-1]
    assert (call.type, call.name) == ("function_call", "weather"), final
    told = [
        {"role": "user", "content": QUESTION},
        {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
        {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"},
    ]
    reply = to.openai.responses.create(model=f"{upstream}/tools", input=told, tools=tools)
    assert reply.output_text == QUESTION, reply


def images(to: Clients, upstream: str) -> None:
    model = f"{upstream}/echo"
    text = {"type": "text", "text": QUESTION}
    url = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    told = [{"role": "user", "content": [text, url]}]
    reply = to.openai.chat.completions.create(model=model, messages=told)
    assert reply.choices[0].message.content == QUESTION, reply
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    told = [{"role": "user", "content": [{"type": "image", "source": source}, text]}]
    reply = to.anthropic.messages.create(model=model, max_tokens=100, messages=told)
    assert reply.content[0].text == QUESTION, reply
    told = [{"role": "user", "content": QUESTION, "images": [PIXEL]}]
    assert to.ollama.chat(model=model, messages=told).message.content == QUESTION
    part = types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png")
    assert to.google.models.generate_content(model=model, contents=[part, QUESTION]).text == QUESTION


def structured(to: Clients, upstream: str) -> None:
    model = f"{upstream}/echo"
    said = '{"city": "Paris"}'
    told = [{"role": "user", "content": said}]
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}
    reply = to.openai.chat.completions.create(model=model, messages=told, response_format=form)
    assert reply.choices[0].message.content == said, reply
    assert to.ollama.chat(model=model, messages=told, format=SCHEMA).message.content == said
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=SCHEMA)
    assert to.google.models.generate_content(model=model, contents=said, config=config).text == said
    form = {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}}
    assert to.openai.responses.create(model=model, input=said, text=form).output_text == said


def reasoning(to: Clients, upstream: str) -> None:
    model = f"{upstream}/reasoning"
    reply = to.openai.chat.completions.create(model=model, messages=QUESTIONS, reasoning_effort="low")
    assert reply.choices[0].message.reasoning_content == THOUGHT, reply
    assert reply.choices[0].message.content == QUESTION, reply
    chunks = to.openai.chat.completions.create(model=model, messages=QUESTIONS, reasoning_effort="low", stream=True)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == THOUGHT, deltas

    thinking = {"type": "enabled", "budget_tokens": 1024}
    with to.anthropic.messages.stream(model=model, max_tokens=4096, messages=QUESTIONS, thinking=thinking) as stream:
        content = stream.get_final_message().content
    assert [block.type for block in content] == ["thinking", "text"], content
    assert content[0].thinking == THOUGHT and content[1].text == QUESTION, content

    message = to.ollama.chat(model=model, messages=QUESTIONS, think=True).message
    assert (message.thinking, message.content) == (THOUGHT, QUESTION), message

    thoughts = types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
    config = types.GenerateContentConfig(thinking_config=thoughts)
    reply = to.google.models.generate_content(model=model, contents=QUESTION, config=config)
    parts = reply.candidates[0].content.parts
    assert [(bool(part.thought), part.text) for part in parts] == [(True, THOUGHT), (False, QUESTION)], parts

    asked = {"effort": "low", "summary": "auto"}
    items = to.openai.responses.create(model=model, input=QUESTION, reasoning=asked).output
    assert [item.type for item in items] == ["reasoning", "message"], items
    assert items[0].summary[0].text == THOUGHT, items


def main() -> None:
    to = Clients(sys.argv[1])
    walks = {
        plain: PLAIN,
        responses: CHATS,
        images: CHATS,
        structured: CHATS,
        # Of Bedrock's models only those that are known by their names reason.
        reasoning: [upstream for upstream in CHATS if upstream != "bedrock"],
    }
    for walk, upstreams in walks.items():
        for upstream in upstreams:
            try:
                walk(to, upstream)
            except BaseException:
                print(f"{walk.__name__} of {upstream}:", file=sys.stderr)
                raise

    async def all_streams() -> None:
        for upstream in [*CHATS, *PLAIN]:
            await streams(to, upstream)

    asyncio.run(all_streams())
    print("ok")


main()
