"""The person's words as pure code, shared by flagging and custody: names, numbers, matching, the answer."""
