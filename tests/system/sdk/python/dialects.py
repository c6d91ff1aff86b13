"""What applications do with the official SDKs of three vendors, each with models behind every dialect: dialects.py ORIGIN, asserting each answer."""

import asyncio
import json
import sys

import anthropic
import ollama
import openai

QUESTION = "Hello, dragoman"
QUESTIONS = [{"role": "user", "content": QUESTION}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
UPSTREAMS = ["openai", "azure", "anthropic", "ollama", "bedrock", "gemini"]


def with_openai(client: openai.OpenAI, upstream: str) -> None:
    model = f"{upstream}/think"
    reply = client.chat.completions.create(model=model, messages=QUESTIONS)
    assert reply.choices[0].message.content == QUESTION, reply
    assert reply.choices[0].finish_reason == "stop", reply
    assert reply.usage.completion_tokens > 0, reply

    text, usage, finish = "", None, None
    options = {"include_usage": True}
    for chunk in client.chat.completions.create(model=model, messages=QUESTIONS, stream=True, stream_options=options):
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
            finish = chunk.choices[0].finish_reason or finish
        usage = chunk.usage or usage
    assert (text, finish) == (QUESTION, "stop"), (text, finish)
    assert usage.total_tokens > 0, usage

    tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    model = f"{upstream}/parallel-tools"
    reply = client.chat.completions.create(model=model, messages=QUESTIONS, tools=tools)
    calls = reply.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["weather", "weather"], reply
    assert len({call.id for call in calls}) == 2, calls
    assert reply.choices[0].finish_reason == "tool_calls", reply
    with client.chat.completions.stream(model=model, messages=QUESTIONS, tools=tools) as stream:
        final = stream.get_final_completion()
    streamed = final.choices[0].message.tool_calls
    assert [json.loads(call.function.arguments) for call in streamed] == [
        json.loads(call.function.arguments) for call in calls
    ], (streamed, calls)

    told = [*QUESTIONS, reply.choices[0].message.model_dump(exclude_none=True)]
    told += [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls]
    reply = client.chat.completions.create(model=model, messages=told, tools=tools)
    assert reply.choices[0].finish_reason == "stop", reply

    try:
        client.chat.completions.create(model=f"{upstream}/status-429", messages=QUESTIONS)
        raise AssertionError("a 429 raised nothing")
    except openai.RateLimitError:
        pass
    try:
        for _ in client.chat.completions.create(model=f"{upstream}/tokens-64+cut-3", messages=QUESTIONS, stream=True):
            pass
        raise AssertionError("a stream that broke raised nothing")
    except openai.APIError:
        pass


def with_anthropic(client: anthropic.Anthropic, upstream: str) -> None:
    model = f"{upstream}/think"
    reply = client.messages.create(model=model, max_tokens=100, messages=QUESTIONS, system="Be brief.")
    assert [block.text for block in reply.content] == [QUESTION], reply
    assert reply.stop_reason == "end_turn" and reply.usage.output_tokens > 0, reply
    with client.messages.stream(model=model, max_tokens=100, messages=QUESTIONS) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == QUESTION and final.stop_reason == "end_turn", final

    tools = [{"name": "weather", "input_schema": SCHEMA}]
    model = f"{upstream}/parallel-tools"
    reply = client.messages.create(model=model, max_tokens=100, messages=QUESTIONS, tools=tools)
    calls = [block for block in reply.content if block.type == "tool_use"]
    assert [call.name for call in calls] == ["weather", "weather"], reply
    assert reply.stop_reason == "tool_use", reply
    with client.messages.stream(model=model, max_tokens=100, messages=QUESTIONS, tools=tools) as stream:
        streamed = [block for block in stream.get_final_message().content if block.type == "tool_use"]
    assert [call.input for call in streamed] == [call.input for call in calls], (streamed, calls)

    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"} for call in calls]
    told = [*QUESTIONS, {"role": "assistant", "content": reply.content}, {"role": "user", "content": results}]
    reply = client.messages.create(model=model, max_tokens=100, messages=told, tools=tools)
    assert reply.stop_reason == "end_turn", reply

    try:
        client.messages.create(model=f"{upstream}/status-429", max_tokens=9, messages=QUESTIONS)
        raise AssertionError("a 429 raised nothing")
    except anthropic.RateLimitError:
        pass
    try:
        client.messages.create(model="nobody", max_tokens=9, messages=QUESTIONS)
        raise AssertionError("an unknown model raised nothing")
    except anthropic.NotFoundError as error:
        assert error.body["error"]["type"] == "not_found_error", error.body
    try:
        with client.messages.stream(model=f"{upstream}/tokens-64+cut-3", max_tokens=9, messages=QUESTIONS) as stream:
            stream.get_final_message()
        raise AssertionError("a stream that broke raised nothing")
    except anthropic.APIError:
        pass


def with_ollama(client: ollama.Client, upstream: str) -> None:
    model = f"{upstream}/think"
    reply = client.chat(model=model, messages=QUESTIONS)
    assert reply.message.content == QUESTION and reply.done_reason == "stop", reply
    assert reply.eval_count > 0 and reply.total_duration > 0, reply
    parts = list(client.chat(model=model, messages=QUESTIONS, stream=True))
    assert "".join(part.message.content or "" for part in parts) == QUESTION, parts
    assert parts[-1].done and parts[-1].done_reason == "stop", parts[-1]
    assert client.generate(model=model, prompt=QUESTION).response == QUESTION

    tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    model = f"{upstream}/parallel-tools"
    reply = client.chat(model=model, messages=QUESTIONS, tools=tools)
    calls = reply.message.tool_calls
    assert [call.function.name for call in calls] == ["weather", "weather"], reply
    streamed = [
        call
        for part in client.chat(model=model, messages=QUESTIONS, tools=tools, stream=True)
        for call in part.message.tool_calls or []
    ]
    assert [call.function.arguments for call in streamed] == [call.function.arguments for call in calls], streamed
    told = [*QUESTIONS, reply.message, *({"role": "tool", "tool_name": "weather", "content": "sunny"} for _ in calls)]
    assert client.chat(model=model, messages=told, tools=tools).done_reason == "stop"

    try:
        client.chat(model=f"{upstream}/status-429", messages=QUESTIONS)
        raise AssertionError("a 429 raised nothing")
    except ollama.ResponseError as error:
        assert error.status_code == 429 and error.error, error
    try:
        for _ in client.chat(model=f"{upstream}/tokens-64+cut-3", messages=QUESTIONS, stream=True):
            pass
        raise AssertionError("a stream that broke raised nothing")
    except ollama.ResponseError:
        pass


async def all_at_once(origin: str, upstream: str) -> None:
    model = f"{upstream}/echo"
    async_openai = openai.AsyncOpenAI(base_url=f"{origin}/v1", api_key="of-no-use", max_retries=0)
    async_anthropic = anthropic.AsyncAnthropic(base_url=origin, api_key="of-no-use", max_retries=0)
    async_ollama = ollama.AsyncClient(host=origin)
    one, two, three = await asyncio.gather(
        async_openai.chat.completions.create(model=model, messages=QUESTIONS),
        async_anthropic.messages.create(model=model, max_tokens=100, messages=QUESTIONS),
        async_ollama.chat(model=model, messages=QUESTIONS),
    )
    texts = {one.choices[0].message.content, two.content[0].text, three.message.content}
    assert texts == {QUESTION}, texts


def main() -> None:
    origin = sys.argv[1]
    for upstream in UPSTREAMS:
        with_openai(openai.OpenAI(base_url=f"{origin}/v1", api_key="of-no-use", max_retries=0), upstream)
        with_anthropic(anthropic.Anthropic(base_url=origin, api_key="of-no-use", max_retries=0), upstream)
        with_ollama(ollama.Client(host=origin), upstream)
        asyncio.run(all_at_once(origin, upstream))
    print("ok")


main()
