"""What the official SDKs make of a limit that is reached: limits.py ORIGIN, where two requests fit, asserting each answer."""

import sys

import anthropic
import openai

QUESTIONS = [{"role": "user", "content": "Hello, dragoman"}]


def main() -> None:
    origin = sys.argv[1]
    with_openai = openai.OpenAI(base_url=f"{origin}/v1", api_key="of-no-use", max_retries=0)
    with_anthropic = anthropic.Anthropic(base_url=origin, api_key="of-no-use", max_retries=0)
    for left in ("1", "0"):
        reply = with_openai.chat.completions.with_raw_response.create(model="echo", messages=QUESTIONS)
        told = reply.headers.get("x-ratelimit-limit-requests"), reply.headers.get("x-ratelimit-remaining-requests")
        assert told == ("2", left), reply.headers
        assert reply.parse().choices[0].message.content == QUESTIONS[0]["content"]
    try:
        with_openai.chat.completions.create(model="echo", messages=QUESTIONS)
        raise AssertionError("a limit raised nothing")
    except openai.RateLimitError as error:
        assert error.code == "rate_limit_exceeded", error.body
        assert 0 < int(error.response.headers["retry-after"]) <= 3700, error.response.headers
        assert error.response.headers["x-ratelimit-remaining-requests"] == "0", error.response.headers
    try:
        with_anthropic.messages.create(model="echo", max_tokens=9, messages=QUESTIONS)
        raise AssertionError("a limit raised nothing")
    except anthropic.RateLimitError as error:
        assert error.body["error"]["type"] == "rate_limit_error", error.body
        assert int(error.response.headers["retry-after"]) > 0, error.response.headers
    print("ok")


main()
