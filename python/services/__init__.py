"""Real servers, as tests and measurements start them: on loopback, on free ports, each in a folder of its own.

Every class is a context manager; leaving it stops the server. None of them is Slipway's own: they are what it is proven
against.
"""
