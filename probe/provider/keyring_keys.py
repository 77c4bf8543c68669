"""Keys in the operating system's keyring, under the name of this program and of the provider."""

from __future__ import annotations

SERVICE = "endpoint-probe"
_ALTERNATIVE = "keep it in an environment variable or a file: --api-key-env NAME or --api-key-file PATH"


class KeyProblem(Exception):
    """The keyring cannot be used, or does not hold the key; the message is one line."""


def save(name: str, key: str) -> None:
    """Put a provider's key into the keyring.

    Raises:
        KeyProblem: there is no keyring, or it fails.
    """
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(SERVICE, name, key)
        saved = keyring.get_password(SERVICE, name)
    except KeyringError:
        raise KeyProblem(f"this machine has no usable keyring; {_ALTERNATIVE}") from None
    except Exception as error:  # backends raise errors of their own systems
        raise KeyProblem(f"the keyring failed ({type(error).__name__}); {_ALTERNATIVE}") from None
    if saved != key:
        raise KeyProblem(f"the keyring did not keep the key; {_ALTERNATIVE}")


def load(name: str) -> str:
    """A provider's key.

    Raises:
        KeyProblem: the keyring cannot be read or does not hold it.
    """
    import keyring

    try:
        key = keyring.get_password(SERVICE, name)
    except Exception as error:
        raise KeyProblem(f"the keyring cannot be read ({type(error).__name__})") from None
    if not key:
        raise KeyProblem(f"the keyring holds no key for {name}; save it again with: provider add {name} … --replace")
    return key


def forget(name: str) -> bool:
    """Delete a provider's key from the keyring; returns whether there was one."""
    import keyring

    try:
        keyring.delete_password(SERVICE, name)
    except Exception:
        return False
    return True
