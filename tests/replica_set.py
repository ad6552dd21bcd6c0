"""Three members that change their roles, as customers have them: with a key, and a login for one database alone."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.servers import Mongod, until

PASSWORD = "p%40ss%2Fword"  # as a URL writes it
#: A member that hears nothing of the primary for ten seconds stands for election.
UNHEARD_S = 12


class ReplicaSet:
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        key = folder / "key"
        key.write_text(secrets.token_hex(64))
        key.chmod(0o600)
        options = ("--replSet", "rs0", "--keyFile", str(key))
        self.members = [Mongod(folder / str(n), replica_set=False, options=options) for n in range(3)]
        self.hosts = [f"127.0.0.1:{member.port}" for member in self.members]
        hosts = [{"_id": n, "host": host} for n, host in enumerate(self.hosts)]
        with MongoClient(self.members[0].direct) as client:
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": hosts})
        self.until_primary()
        with MongoClient(self.primary.direct) as client:  # from loopback the first account is made without one
            client.admin.command("createUser", "root", pwd="root", roles=["root"])
        with MongoClient(self.primary.direct, username="root", password="root") as client:
            own = {"pwd": "p@ss/word", "roles": [{"role": "readWrite", "db": "proctoring"}]}
            client.admin.command("createUser", "proctoring", **own)
        until(self.is_whole)

    @property
    def url(self) -> str:
        return f"mongodb://proctoring:{PASSWORD}@{','.join(self.hosts)}/?authSource=admin&replicaSet=rs0"

    @property
    def primary(self) -> Mongod | None:
        """The one that says so; two may, until the older one hears of the other."""
        told = [(said["electionId"], n) for n, said in enumerate(map(hello, self.members)) if said["isWritablePrimary"]]
        return self.members[max(told)[1]] if told else None

    def is_whole(self) -> bool:
        said = [hello(member) for member in self.members]
        return sum(one["isWritablePrimary"] for one in said) == 1 and sum(one["secondary"] for one in said) == 2

    def others(self, than: Mongod) -> list[Mongod]:
        return [member for member in self.members if member is not than]

    def until_primary(self, *, other_than: Mongod | None = None) -> None:
        until(lambda: self.primary not in (None, other_than))

    def step_down(self) -> None:
        """As for an upgrade of one member after the other."""
        with MongoClient(self.primary.direct, username="root", password="root") as client:
            client.admin.command("replSetStepDown", 10)
        self.until_primary()

    def kill_primary(self) -> None:
        killed = self.primary
        killed.kill()
        self.until_primary()
        killed.start()

    def freeze_primary(self) -> None:
        """Until another has been elected for a while."""
        frozen = self.primary
        frozen.freeze()
        self.until_primary(other_than=frozen)
        time.sleep(UNHEARD_S / 2)
        frozen.thaw()

    def isolate_primary(self) -> None:
        """It takes what nobody else has until it is gone, too; the others elect another, and it has to take that back.
        Killed, since from a frozen member's sockets what was sent to it would still come."""
        alone = self.primary
        for member in self.others(alone):
            member.kill()
        time.sleep(UNHEARD_S / 2)
        alone.kill()
        for member in self.others(alone):
            member.start()
        self.until_primary()
        alone.start()

    def kill_majority(self) -> None:
        """The last one answers nobody any more, once it has noticed."""
        killed = self.others(self.primary)
        for member in killed:
            member.kill()
        time.sleep(UNHEARD_S)
        for member in killed:
            member.start()

    def remove(self) -> None:
        for member in self.members:
            member.thaw()
            member.remove()


def hello(member: Mongod) -> dict:
    """What it says of itself; one that is frozen or gone says that it is nothing."""
    try:
        with MongoClient(member.direct, serverSelectionTimeoutMS=500, socketTimeoutMS=500) as client:
            return client.admin.command("hello")
    except PyMongoError:
        return {"isWritablePrimary": False, "secondary": False}


@contextmanager
def replica_set(folder: Path) -> Iterator[ReplicaSet]:
    members = ReplicaSet(folder)
    try:
        yield members
    finally:
        members.remove()
