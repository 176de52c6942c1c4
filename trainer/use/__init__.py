"""What is done with a run, before and after it trained.

- ``plan``        parameters, operations, memory, time and cost before a run
- ``choices``     multiple-choice questions
- ``evaluation``  a checkpoint's losses and its answers
- ``sample``      text from a trained model
- ``export``      a checkpoint as ``transformers`` loads it
- ``lookup``      the documents of any step
- ``report``      one HTML page about a run
"""
