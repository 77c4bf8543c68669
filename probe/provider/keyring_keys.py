"""Keys in the operating system's keyring, under this program's name and the provider's."""

from __future__ import annotations

SERVICE = "endpoint-probe"
_INSTEAD = "keep it in an environment variable or a file: --api-key-env NAME or --api-key-file PATH"


class KeyProblem(Exception):
    """The keyring cannot be used, or holds no such key; the message is one line."""


def save(name: str, key: str) -> None:
    """Put a provider's key into the keyring.

    Raises:
        KeyProblem: there is no keyring, or it refuses.
    """
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(SERVICE, name, key)
        kept = keyring.get_password(SERVICE, name)
    except KeyringError:
        raise KeyProblem(f"this machine has no keyring that takes a key; {_INSTEAD}") from None
    except Exception as error:  # backends raise errors of their own systems
        raise KeyProblem(f"the keyring failed ({type(error).__name__}); {_INSTEAD}") from None
    if kept != key:
        raise KeyProblem(f"the keyring did not keep the key; {_INSTEAD}")


def load(name: str) -> str:
    """A provider's key.

    Raises:
        KeyProblem: it is not there.
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
    """Take a provider's key out of the keyring; whether there was one."""
    import keyring

    try:
        keyring.delete_password(SERVICE, name)
    except Exception:
        return False
    return True
