"""The headers by which rules of gateways tell one client program from another."""

from __future__ import annotations

from collections.abc import Mapping

#: What openai-python sends with every request (openai-python src/openai/_base_client.py, platform_headers).
SDK: Mapping[str, str] = {
    "User-Agent": "OpenAI/Python 3.57.0",
    "X-Stainless-Lang": "python",
    "X-Stainless-Package-Version": "3.57.0",
    "X-Stainless-OS": "Linux",
    "X-Stainless-Arch": "x64",
    "X-Stainless-Runtime": "CPython",
    "X-Stainless-Runtime-Version": "3.12.8",
    "X-Stainless-Async": "false",
    "X-Stainless-Retry-Count": "0",
}
#: The header that names the program, and those that the SDK adds, each as a group that a rule may refuse.
GROUPS: Mapping[str, Mapping[str, str]] = {
    f"User-Agent: {SDK['User-Agent']}": {"User-Agent": SDK["User-Agent"]},
    "X-Stainless-*": {name: value for name, value in SDK.items() if name != "User-Agent"},
}
#: A browser, which rules against programs let through.
BROWSER: Mapping[str, str] = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept-Language": "en",
}
