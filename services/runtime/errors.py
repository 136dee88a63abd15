"""The refusals of the suite, raised wherever one is known; only rpc.py speaks status codes.

Refusal
├── Invalid          a field of the request breaks a rule
├── NotFound         there is no such thing
├── Conflict         the request contradicts what is stored
├── Illegal          the rules of the programme do not allow this step
├── Unauthenticated  we do not know who calls
├── Denied           the caller's role may not do this
├── Absent           there is no such RPC, or the caller may not learn that there is
└── Unavailable      something we depend on does not answer; the same call may succeed later
"""


class Refusal(Exception):
    """Its text is shown to the caller: it names the rule, never a person."""


class Invalid(Refusal):
    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


class NotFound(Refusal):
    pass


class Conflict(Refusal):
    pass


class Illegal(Refusal):
    def __init__(self, rule: str, text: str) -> None:
        super().__init__(text)
        self.rule = rule


class Unauthenticated(Refusal):
    pass


class Denied(Refusal):
    pass


class Absent(Refusal):
    def __init__(self) -> None:
        super().__init__("there is no such RPC")


class Unavailable(Refusal):
    def __init__(self, dependency: str, text: str = "does not answer") -> None:
        super().__init__(f"{dependency} {text}")
        self.dependency = dependency
