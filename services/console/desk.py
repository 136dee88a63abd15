"""`ppo desk`: type, answer, next, for a queue of people."""

import asyncio
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ppo.custody.v1 import custody_pb2 as custody
from ppo.person.v1 import person_pb2 as pb
from ppo.policy.v1 import policy_pb2 as policy
from services.console import answer, check, details, orders, output, session
from services.console.custody import book
from services.console.stop import Stop
from services.console.suite import detentions

NAME = "Name (Family, Given): "
BORN = "Date of birth: "
PNC = "PNC id: "
OFFENCES = "Arrested for (burglary, aggravated burglary): "
NEXT = "Enter: next person; b: book in; q: end; or the next name: "
# What was said about the offence before may be said anew.
_BOOK = re.compile(r"b(?::(.*))?", re.IGNORECASE)


def desk(
    suite: details.Suite = details.SUITE,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Type, answer, next: checks a queue of people. Enter skips a question, q ends.

    Asks for name, date of birth, PNC id and what the person was arrested for, answers, and offers to book the
    person in. Piped input works too: five lines a person, the fifth empty, or b to book in; other offences
    than those checked may stand behind a colon.

    ```
    ppo desk --suite D3
    printf 'Kelly, Shane\\n1979-03-04\\n\\nburglary, robbery\\n\\n' | ppo desk
    ```

    Exit code 0, or 2 where something piped was refused or there is no such suite.
    """
    place = session.Session(data, "custody_officer", suite)
    _refuse_unknown(suite, place)
    queue = Queue(place, suite, as_json=json)
    name: str | None = ""
    while name is not None:
        name = queue.next(name)
    return queue.code


def _refuse_unknown(suite: str, place: session.Session) -> None:
    """Before anybody is asked for, once; an outage is for each check to answer."""
    try:
        detentions(place, suite)
    except Stop as refusal:
        if refusal.code == 2:
            raise


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
        return self._then(self._answered(texts))

    def _answered(self, texts: list[str]) -> custody.CheckPersonRequest | None:
        """What was asked; None where what was typed is refused."""
        while True:
            try:
                request = self._request(*texts)
                self._show(asyncio.run(check.ask(request, self.place)))
                return request
            except Stop as refusal:
                if refusal.code != 2:
                    raise
                output.say(str(refusal))
                if not sys.stdin.isatty():
                    self.code = 2
                    return None
                at = 3 if "offence_codes" in str(refusal) else 2
                texts[at] = _ask(OFFENCES if at == 3 else PNC)

    def _request(self, name: str, born: str, pnc: str, offences: str) -> custody.CheckPersonRequest:
        return custody.CheckPersonRequest(
            person=details.person(name=details.spoken(name), born=born, identifiers=details.numbers(pnc=pnc)),
            suite_id=self.suite,
            purpose=policy.PURPOSE_ARREST,
            offence_codes=details.offences(offences),
        )

    def _show(self, said: custody.Answer) -> None:
        if self.as_json:
            output.emit(custody.CheckPersonResponse(answer=said))
        else:
            output.show(answer.page(said))
            output.show()

    def _then(self, checked: custody.CheckPersonRequest | None) -> str | None:
        try:
            text = _ask(NEXT)
            while (asked := _BOOK.fullmatch(text)) and checked is not None:
                other = details.offences(asked[1] or "")
                self._book_in(checked.person, other or checked.offence_codes)
                text = _ask(NEXT)
        except EOFError:
            return None
        return None if text.lower() == "q" else text

    def _book_in(self, person: pb.Person, offences: Sequence[str]) -> None:
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
    texts = [name or _ask(NAME), "", "", ""]
    try:
        texts[1] = _ask_until(BORN, _refuse_wrong_date)
        texts[2] = _ask(PNC)
        texts[3] = _ask(OFFENCES)
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
