"""What an application does with the official openai SDK, unmodified: walk.py BASE_URL, asserting each answer."""

import asyncio
import sys

import openai


def check(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert "gpt-4o" in names and "llama3-8b" in names, names
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"

    question = [{"role": "user", "content": "Hello, dragoman"}]
    reply = client.chat.completions.create(model="gpt-4o", messages=question)
    text = reply.choices[0].message.content
    assert text and "think>" not in text, text
    assert reply.choices[0].finish_reason == "stop", reply
    assert reply.usage.total_tokens > 0, reply

    streamed, usage = "", None
    stream = client.chat.completions.create(
        model="gpt-4o", messages=question, stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        streamed += chunk.choices[0].delta.content or "" if chunk.choices else ""
        usage = chunk.usage or usage
    assert streamed == text, (streamed, text)
    assert usage.total_tokens > 0, usage

    said = client.chat.completions.create(model="llama3-8b", messages=question)
    assert said.choices[0].message.content == "Hello, dragoman", said
    old = client.completions.create(model="echo", prompt="one two three")
    assert old.choices[0].text, old
    vectors = client.embeddings.create(model="echo", input=["a", "b"])
    assert len(vectors.data) == 2, vectors

    try:
        client.chat.completions.create(model="status-404", messages=question)
        raise AssertionError("a 404 raised nothing")
    except openai.NotFoundError as error:
        assert error.status_code == 404, error
    try:
        client.chat.completions.create(model="status-429", messages=question)
        raise AssertionError("a 429 raised nothing")
    except openai.RateLimitError:
        pass
    try:
        client.models.retrieve("nobody")
        raise AssertionError("an unknown model raised nothing")
    except openai.NotFoundError as error:
        assert error.code == "model_not_found", error


async def check_async(client: openai.AsyncOpenAI) -> None:
    question = [{"role": "user", "content": "again"}]
    async with client.chat.completions.stream(model="llama3-8b", messages=question) as stream:
        await stream.until_done()
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == "again", final


def main() -> None:
    base_url = sys.argv[1]
    check(openai.OpenAI(base_url=base_url, api_key="of-no-use", max_retries=0))
    asyncio.run(check_async(openai.AsyncOpenAI(base_url=base_url, api_key="of-no-use", max_retries=0)))
    print("ok")


main()
