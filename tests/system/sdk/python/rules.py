"""What the official SDKs of three vendors make of rules: rules.py ORIGIN, asserting each answer.

A request that says "closed" is answered "Closed." in the model's place. Replies that hold "nightjar" are refused, and keys in them replaced.
"""

import sys

import anthropic
import ollama
import openai

CLOSED = [{"role": "user", "content": "closed"}]
KEY = [{"role": "user", "content": "it is sk-abcdef0123 then"}]
SECRET = [{"role": "user", "content": "project nightjar it is"}]
HIDDEN = "it is [key] then"
MODEL = "echo+chunk-3"


def with_openai(client: openai.OpenAI) -> None:
    def said(messages: list, **options: object) -> tuple:
        if not options:
            choice = client.chat.completions.create(model=MODEL, messages=messages).choices[0]
            return choice.message.content, choice.finish_reason
        text, finish = "", None
        for chunk in client.chat.completions.create(model=MODEL, messages=messages, stream=True):
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
                finish = chunk.choices[0].finish_reason or finish
        return text, finish

    for options in ({}, {"stream": True}):
        assert said(CLOSED, **options) == ("Closed.", "stop"), options
        assert said(KEY, **options) == (HIDDEN, "stop"), options
        try:
            raise AssertionError(f"a refused reply raised nothing: {said(SECRET, **options)}")
        except openai.APIError as error:
            assert error.code == "content_denied", error
    reply = client.responses.create(model=MODEL, input="closed")
    assert reply.output_text == "Closed.", reply


def with_anthropic(client: anthropic.Anthropic) -> None:
    def whole(messages: list) -> tuple:
        reply = client.messages.create(model=MODEL, max_tokens=64, messages=messages)
        return reply.content[0].text, reply.stop_reason

    def streamed(messages: list) -> tuple:
        with client.messages.stream(model=MODEL, max_tokens=64, messages=messages) as stream:
            reply = stream.get_final_message()
        return reply.content[0].text, reply.stop_reason

    for say in (whole, streamed):
        assert say(CLOSED) == ("Closed.", "end_turn"), say
        assert say(KEY) == (HIDDEN, "end_turn"), say
        try:
            raise AssertionError(f"a refused reply raised nothing: {say(SECRET)}")
        except anthropic.APIStatusError:
            pass


def with_ollama(client: ollama.Client) -> None:
    def whole(messages: list) -> str:
        return client.chat(model=MODEL, messages=messages).message.content

    def streamed(messages: list) -> str:
        pieces = list(client.chat(model=MODEL, messages=messages, stream=True))
        assert pieces[-1].done, pieces
        return "".join(piece.message.content or "" for piece in pieces)

    for say in (whole, streamed):
        assert say(CLOSED) == "Closed.", say
        assert say(KEY) == HIDDEN, say
        try:
            raise AssertionError(f"a refused reply raised nothing: {say(SECRET)}")
        except ollama.ResponseError as error:
            assert "no-codename" in error.error, error


def main(origin: str) -> None:
    with_openai(openai.OpenAI(base_url=f"{origin}/v1", api_key="sk-any", max_retries=0))
    with_anthropic(anthropic.Anthropic(base_url=origin, api_key="sk-any", max_retries=0))
    with_ollama(ollama.Client(host=origin))
    print("ok")


main(sys.argv[1])
