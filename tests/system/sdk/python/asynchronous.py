"""What applications do with the asynchronous clients, each with models behind every dialect: asynchronous.py ORIGIN, asserting each answer.

Each walk is one client: a plain reply, tools streamed and their results sent back, a limit that is an error, and a stream that breaks.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable

import anthropic
import huggingface_hub
import huggingface_hub.errors
import ollama
import openai
from google import genai
from google.genai import errors, types

QUESTION = "Hello, dragoman"
QUESTIONS = [{"role": "user", "content": QUESTION}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTIONS = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
UPSTREAMS = ["openai", "azure", "anthropic", "ollama", "bedrock", "gemini"]


async def raises(kind: type[Exception], work: Awaitable) -> Exception:
    try:
        reply = await work
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}, but {reply}")


async def chats(client: openai.AsyncOpenAI, upstream: str) -> None:
    create = client.chat.completions.create
    reply = await create(model=f"{upstream}/think", messages=QUESTIONS)
    assert reply.choices[0].message.content == QUESTION, reply

    model = f"{upstream}/parallel-tools"
    async with client.chat.completions.stream(model=model, messages=QUESTIONS, tools=FUNCTIONS) as stream:
        final = (await stream.get_final_completion()).choices[0]
    calls = final.message.tool_calls
    assert final.finish_reason == "tool_calls" and len({call.id for call in calls}) == 2, final
    assert all(json.loads(call.function.arguments)["city"] for call in calls), calls
    called = {"role": "assistant", "content": None, "tool_calls": [
        {"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": call.function.arguments}}
        for call in calls
    ]}
    told = [*QUESTIONS, called, *({"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls)]
    reply = await create(model=model, messages=told, tools=FUNCTIONS)
    assert reply.choices[0].finish_reason == "stop", reply

    async def broken() -> None:
        async for _ in await create(model=f"{upstream}/tokens-64+cut-3", messages=QUESTIONS, stream=True):
            pass

    await raises(openai.RateLimitError, create(model=f"{upstream}/status-429", messages=QUESTIONS))
    await raises(openai.APIError, broken())


async def with_openai(origin: str, upstream: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{origin}/v1", api_key="of-no-use", max_retries=0) as client:
        await chats(client, upstream)
        old = await client.completions.create(model=f"{upstream}/echo", prompt=QUESTION)
        assert old.choices[0].text == QUESTION, old
        reply = await client.responses.create(model=f"{upstream}/echo", input=QUESTION)
        assert reply.output_text == QUESTION, reply
        limited = client.responses.create(model=f"{upstream}/status-429", input=QUESTION)
        await raises(openai.RateLimitError, limited)

        async def broken() -> str:
            events = await client.responses.create(model=f"{upstream}/tokens-64+cut-3", input=QUESTION, stream=True)
            kinds = [event.type async for event in events]
            return kinds[-1]

        # Its events of an error are events like others to this SDK.
        try:
            assert await broken() in ("error", "response.failed"), upstream
        except openai.APIError:
            pass


async def with_azure(origin: str, upstream: str) -> None:
    options = {"api_key": "of-no-use", "api_version": "2024-10-21", "max_retries": 0}
    async with openai.AsyncAzureOpenAI(azure_endpoint=origin, **options) as client:
        await chats(client, upstream)


async def with_anthropic(origin: str, upstream: str) -> None:
    async with anthropic.AsyncAnthropic(base_url=origin, api_key="of-no-use", max_retries=0) as client:
        asked = {"max_tokens": 100, "messages": QUESTIONS}
        reply = await client.messages.create(model=f"{upstream}/think", **asked)
        assert [block.text for block in reply.content] == [QUESTION], reply

        model = f"{upstream}/parallel-tools"
        tools = [{"name": "weather", "input_schema": SCHEMA}]
        async with client.messages.stream(model=model, tools=tools, **asked) as stream:
            final = await stream.get_final_message()
        uses = [block for block in final.content if block.type == "tool_use"]
        assert final.stop_reason == "tool_use" and len(uses) == 2 and all(use.input["city"] for use in uses), final
        results = [{"type": "tool_result", "tool_use_id": use.id, "content": "sunny"} for use in uses]
        content = [{"type": "tool_use", "id": use.id, "name": use.name, "input": use.input} for use in uses]
        told = [*QUESTIONS, {"role": "assistant", "content": content}, {"role": "user", "content": results}]
        reply = await client.messages.create(model=model, max_tokens=100, messages=told, tools=tools)
        assert reply.stop_reason == "end_turn", reply

        async def broken() -> None:
            async with client.messages.stream(model=f"{upstream}/tokens-64+cut-3", **asked) as stream:
                await stream.get_final_message()

        await raises(anthropic.RateLimitError, client.messages.create(model=f"{upstream}/status-429", **asked))
        await raises(anthropic.APIError, broken())


async def with_ollama(origin: str, upstream: str) -> None:
    client = ollama.AsyncClient(host=origin)
    reply = await client.chat(model=f"{upstream}/think", messages=QUESTIONS)
    assert reply.message.content == QUESTION and reply.done_reason == "stop", reply

    model = f"{upstream}/parallel-tools"
    parts = [part async for part in await client.chat(model=model, messages=QUESTIONS, tools=FUNCTIONS, stream=True)]
    calls = [call for part in parts for call in part.message.tool_calls or []]
    assert parts[-1].done and [call.function.name for call in calls] == ["weather", "weather"], parts
    results = [{"role": "tool", "tool_name": "weather", "content": "sunny"}] * 2
    told = [*QUESTIONS, ollama.Message(role="assistant", tool_calls=calls), *results]
    assert (await client.chat(model=model, messages=told, tools=FUNCTIONS)).done_reason == "stop"

    async def broken() -> None:
        async for _ in await client.chat(model=f"{upstream}/tokens-64+cut-3", messages=QUESTIONS, stream=True):
            pass

    error = await raises(ollama.ResponseError, client.chat(model=f"{upstream}/status-429", messages=QUESTIONS))
    assert error.status_code == 429, error
    await raises(ollama.ResponseError, broken())


async def with_google(origin: str, upstream: str) -> None:
    client = genai.Client(api_key="of-no-use", http_options=types.HttpOptions(base_url=origin)).aio.models
    reply = await client.generate_content(model=f"{upstream}/echo", contents=QUESTION)
    assert reply.text == QUESTION, reply

    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[types.FunctionDeclaration(name="weather", parameters_json_schema=SCHEMA)])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    model = f"{upstream}/parallel-tools"
    chunks = [chunk async for chunk in await client.generate_content_stream(model=model, contents=QUESTION, config=config)]
    calls = [call for chunk in chunks for call in chunk.function_calls or []]
    assert [call.name for call in calls] == ["weather", "weather"] and all(call.args["city"] for call in calls), chunks
    said = [part for chunk in chunks for part in chunk.candidates[0].content.parts or [] if part.function_call]
    results = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"sky": "sunny"}))
        for call in calls
    ]
    told = [types.Content(role="user", parts=[types.Part(text=QUESTION)])]
    told += [types.Content(role="model", parts=said), types.Content(role="user", parts=results)]
    reply = await client.generate_content(model=model, contents=told, config=config)
    assert reply.candidates[0].finish_reason == types.FinishReason.STOP and not reply.function_calls, reply

    async def broken() -> None:
        async for _ in await client.generate_content_stream(model=f"{upstream}/tokens-64+cut-3", contents=QUESTION):
            pass

    error = await raises(errors.ClientError, client.generate_content(model=f"{upstream}/status-429", contents=QUESTION))
    assert error.code == 429, error
    await raises(errors.APIError, broken())


async def with_hugging_face(origin: str, upstream: str) -> None:
    async with huggingface_hub.AsyncInferenceClient(base_url=f"{origin}/v1", token="of-no-use") as client:
        reply = await client.chat_completion(QUESTIONS, model=f"{upstream}/think")
        assert reply.choices[0].message.content == QUESTION, reply
        chunks = await client.chat_completion(
            QUESTIONS, model=f"{upstream}/parallel-tools", tools=FUNCTIONS, stream=True
        )
        deltas = [chunk.choices[0].delta async for chunk in chunks if chunk.choices]
        names = [call.function.name for delta in deltas for call in delta.tool_calls or [] if call.function.name]
        assert names == ["weather", "weather"], deltas
        limited = client.chat_completion(QUESTIONS, model=f"{upstream}/status-429")
        await raises(huggingface_hub.errors.HfHubHTTPError, limited)


async def main() -> None:
    origin = sys.argv[1]
    for upstream in UPSTREAMS:
        for walk in (with_openai, with_azure, with_anthropic, with_ollama, with_google, with_hugging_face):
            try:
                await walk(origin, upstream)
            except BaseException:
                print(f"{walk.__name__} and {upstream}:", file=sys.stderr)
                raise
    print("ok")


asyncio.run(main())
