"""A child process with limits, and its parent: what page extraction and cleaning do with code that may misbehave.

inside  the child's side: limits on itself, requests in, answers out
parent  the parent's side: starts it, asks, and says how it ended; idle children wait for the next task
"""
