"""`ppo desk`: type, answer, next, for a queue of people."""

import asyncio
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

from ppo.custody.v1 import custody_pb2 as custody
from ppo.person.v1 import person_pb2 as pb
from ppo.policy.v1 import policy_pb2 as policy
from services.console import answer, check, details, orders, output, session
from services.console.custody import book
from services.console.stop import Stop

NAME = "Name (Family, Given): "
BORN = "Date of birth: "
PNC = "PNC id: "
NEXT = "Enter: next person; b: book in (arrested for: b: burglary, robbery); q: end; or the next name: "
_BOOK = re.compile(r"b(?::(.*))?", re.IGNORECASE)


def desk(
    suite: details.Suite = details.SUITE,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Type, answer, next: checks a queue of people. Enter skips a question, q ends.

    Asks for name, date of birth and PNC id, answers, and offers to book the person in.
    Piped input works too: four lines a person, the fourth empty, or b to book in, with what the person was
    arrested for behind a colon.

    ```
    ppo desk --suite D3
    printf 'Kelly, Shane\\n1979-03-04\\n\\n\\n' | ppo desk
    ```

    Exit code 0, or 2 where something piped was refused.
    """
    queue = Queue(session.Session(data, "custody_officer", suite), suite, as_json=json)
    name: str | None = ""
    while name is not None:
        name = queue.next(name)
    return queue.code


@dataclass
class Queue:
    """The people before one desk, one after the other."""

    place: session.Session
    suite: str
    as_json: bool
    code: int = 0

    def next(self, name: str) -> str | None:
        """Sees to one person. Returns the name of the next, where it was typed already; None at the end."""
        try:
            texts = _texts(name)
        except EOFError:
            return None
        person = self._answered(texts)
        return self._then(person)

    def _answered(self, texts: list[str]) -> pb.Person | None:
        """None where what was typed is refused."""
        while True:
            try:
                person = _person(*texts)
                self._show(asyncio.run(check.ask(self._request(person), self.place)))
                return person
            except Stop as refusal:
                if refusal.code != 2:
                    raise
                output.say(str(refusal))
                if not sys.stdin.isatty():
                    self.code = 2
                    return None
                texts[-1] = _ask(PNC)

    def _request(self, person: pb.Person) -> custody.CheckPersonRequest:
        return custody.CheckPersonRequest(person=person, suite_id=self.suite, purpose=policy.PURPOSE_ARREST)

    def _show(self, said: custody.Answer) -> None:
        if self.as_json:
            output.emit(custody.CheckPersonResponse(answer=said))
        else:
            output.show(answer.page(said))
            output.show()

    def _then(self, person: pb.Person | None) -> str | None:
        try:
            text = _ask(NEXT)
            while (asked := _BOOK.fullmatch(text)) and person is not None:
                self._book_in(person, (asked[1] or "").replace(",", " ").split())
                text = _ask(NEXT)
        except EOFError:
            return None
        return None if text.lower() == "q" else text

    def _book_in(self, person: pb.Person, offences: list[str]) -> None:
        try:
            detention = asyncio.run(book(self.place, self.suite, person, offences))
        except Stop as refusal:
            if refusal.code != 2:
                raise
            output.say(str(refusal))
            self.code = self.code if sys.stdin.isatty() else 2
            return
        if self.as_json:
            output.emit(custody.BookInResponse(detention=detention))
        else:
            output.show(f"  Booked in as {detention.detention_id}: {answer.title(detention.answer)}")
            output.show(output.facts(orders.lines(detention.instructions)))
            output.show()


def _texts(name: str) -> list[str]:
    """Raises EOFError at the end of the queue."""
    texts = [name or _ask(NAME), "", ""]
    try:
        texts[1] = _ask_until(BORN, _refuse_wrong_date)
        texts[2] = _ask(PNC)
    except EOFError:
        # The pipe ended within a person, who is answered all the same.
        pass
    return texts


def _ask_until(prompt: str, refuse: Callable[[str], None]) -> str:
    """A person at a terminal is asked again at once; what is piped is refused with the whole person."""
    while True:
        text = _ask(prompt)
        if not sys.stdin.isatty():
            return text
        try:
            refuse(text)
        except Stop as refusal:
            output.say(str(refusal))
        else:
            return text


def _refuse_wrong_date(text: str) -> None:
    if text:
        details.birth_date(text)


def _person(name: str, born: str, pnc: str) -> pb.Person:
    return details.person(name=details.spoken(name), born=born, identifiers=details.numbers(pnc=pnc))


def _ask(prompt: str) -> str:
    if sys.stdin.isatty():
        return _typed(prompt)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.strip()


def _typed(prompt: str) -> str:
    try:
        return input(prompt).strip()
    except EOFError:
        # Ctrl-D leaves the cursor behind the prompt.
        output.show()
        raise
