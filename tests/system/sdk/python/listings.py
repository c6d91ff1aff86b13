"""What applications ask before they call, with the official SDKs of three vendors: listings.py ORIGIN, asserting each answer."""

import sys

import anthropic
import ollama
import openai

UPSTREAMS = ["openai", "anthropic", "ollama"]


def with_openai(client: openai.OpenAI) -> list[str]:
    listed = [model.id for model in client.models.list()]
    assert client.models.retrieve(listed[0]).id == listed[0]
    try:
        client.models.retrieve("nobody")
        raise AssertionError("an unknown model raised nothing")
    except openai.NotFoundError as error:
        assert error.code == "model_not_found", error
    for upstream in ["openai", "ollama"]:
        # The SDK asks for base64 of its own accord, and decodes it.
        reply = client.embeddings.create(model=f"{upstream}/echo", input=["one", "two words"])
        assert [entry.index for entry in reply.data] == [0, 1], reply
        assert all(isinstance(entry.embedding[0], float) for entry in reply.data), reply
        assert reply.usage.total_tokens == 3, reply
    try:
        client.embeddings.create(model="anthropic/echo", input="one")
        raise AssertionError("an upstream without vectors raised nothing")
    except openai.BadRequestError as error:
        assert error.param == "model", error
    return listed


def with_anthropic(client: anthropic.Anthropic) -> list[str]:
    # The SDK turns the pages.
    listed = [model.id for model in client.models.list(limit=2)]
    model = client.models.retrieve(listed[0])
    assert model.id == listed[0] and model.type == "model" and model.created_at.year, model
    try:
        client.models.retrieve("nobody")
        raise AssertionError("an unknown model raised nothing")
    except anthropic.NotFoundError as error:
        assert error.body["error"]["type"] == "not_found_error", error.body
    messages = [{"role": "user", "content": "three words here"}]
    assert client.messages.count_tokens(model="anthropic/echo", messages=messages).input_tokens > 0
    for upstream in ["openai", "ollama"]:
        try:
            client.messages.count_tokens(model=f"{upstream}/echo", messages=messages)
            raise AssertionError("a count that would be a guess raised nothing")
        except anthropic.BadRequestError as error:
            assert error.body["error"]["type"] == "invalid_request_error", error.body
    return listed


def with_ollama(client: ollama.Client) -> list[str]:
    listed = [model.model for model in client.list().models]
    assert [model.model for model in client.ps().models] == listed
    for model in listed:
        shown = client.show(model)
        assert shown.capabilities and shown.modelinfo and shown.modified_at, shown
    # As people type it.
    assert client.show("ollama/echo").details.family == "simulator"
    for upstream in ["openai", "ollama"]:
        reply = client.embed(model=f"{upstream}/echo", input=["one", "two words"])
        assert len(reply.embeddings) == 2 and reply.prompt_eval_count == 3, reply
        assert client.embeddings(model=f"{upstream}/echo", prompt="one").embedding
    for refused, status in [
        (lambda: client.show("nobody"), 404),
        (lambda: client.embed(model="anthropic/echo", input="one"), 400),
        (lambda: client.pull("openai/echo"), 403),
        (lambda: list(client.pull("openai/echo", stream=True)), 403),
        (lambda: client.create("openai/mine", from_="openai/echo"), 403),
        (lambda: client.copy("openai/echo", "openai/mine"), 403),
        (lambda: client.delete("openai/echo"), 403),
    ]:
        try:
            refused()
            raise AssertionError("a refusal raised nothing")
        except ollama.ResponseError as error:
            assert error.status_code == status and error.error and not error.error.startswith("{"), error
    return listed


def main() -> None:
    origin = sys.argv[1]
    one = with_openai(openai.OpenAI(base_url=f"{origin}/v1", api_key="of-no-use", max_retries=0))
    two = with_anthropic(anthropic.Anthropic(base_url=origin, api_key="of-no-use", max_retries=0))
    three = with_ollama(ollama.Client(host=origin))
    assert one == two and {name.split("/")[0] for name in one} == set(UPSTREAMS), (one, two)
    assert three == [name if ":" in name else f"{name}:latest" for name in one], (one, three)
    print("ok")


main()
