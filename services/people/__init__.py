"""The person's words as pure code, shared by flagging and custody: identifiers, names, matching, the answer."""
