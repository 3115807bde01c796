"""Keys and public names under which publications may be watched."""

import pytest

from emocolor.errors import ConflictError, RequestError
from stream.live.webrtc.shares import MAX_SHARES, NAME, Shares, check_name, key_of, new_secret


def test_secrets_and_keys_cannot_be_guessed_and_are_no_names():
    made = {new_secret() for _ in range(50)} | {Shares().share("a") for _ in range(50)}
    assert len(made) == 100
    assert all(len(one) == 22 and not NAME.fullmatch(one) for one in made)


def test_the_key_of_a_secret_is_the_same_again_and_does_not_tell_it():
    secret = new_secret()
    assert key_of(secret) == key_of(secret)
    assert key_of(secret) not in (secret, key_of(new_secret()), key_of(key_of(secret)))


@pytest.mark.parametrize("secret", ["", "short", "x" * 201, "ü" * 22])
def test_a_secret_that_could_be_guessed_is_refused(secret):
    with pytest.raises(RequestError, match="22 to 200"):
        Shares().share("a", secret)


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "../x", "ä", "x" * 21, "a\n"])
def test_names_are_short_and_plain(name):
    with pytest.raises(RequestError, match="up to 20 letters"):
        check_name(name)


def test_what_is_shared_is_found_until_its_owner_stops():
    shares = Shares()
    key, name = shares.share("a"), shares.publish("a", "studio")
    assert [shares.owner_of(one) for one in (key, name, "a", "other")] == ["a", "a", None, None]
    assert shares.of("a") == [key, name]
    assert shares.names == {"studio": "a"}
    shares.close("a")
    assert (shares.of("a"), shares.names, shares.owner_of(key)) == ([], {}, None)


def test_a_name_belongs_to_one_publication_at_a_time():
    shares = Shares()
    shares.publish("a", "studio")
    assert shares.publish("a", "studio") == "studio"
    with pytest.raises(ConflictError, match="Another session"):
        shares.publish("b", "studio")
    shares.close("a")
    shares.publish("b", "studio")
    assert shares.names == {"studio": "b"}


def test_the_owner_takes_a_key_along_to_a_new_connection():
    shares, secret = Shares(), new_secret()
    key = shares.share("a", secret)
    assert shares.share("b", secret) == key
    assert shares.owner_of(key) == "b"
    shares.close("a")
    assert shares.owner_of(key) == "b"
    assert shares.share("c", key) != key, "who watches cannot take the place of the owner"


def test_a_publication_has_a_bounded_number_of_keys():
    shares = Shares()
    for _ in range(MAX_SHARES):
        shares.share("a")
    with pytest.raises(RequestError, match="up to 8"):
        shares.share("a")
    shares.share("b")
