"""The program of another interpreter: runs one function of which it gets the source text.

Plain Python of any version from 3.6, with nothing but the standard library.
"""

RUNNER = r"""
import json, linecache, sys, traceback
request = json.loads(sys.stdin.read())
name, source = request["name"], request["source"]
filename = "<nbflow " + name + ">"
linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
space = {"__name__": "__nbflow__"}
try:
    exec(compile(source, filename, "exec"), space)
    answer = {"result": space[name](*request["args"], **request["kwargs"])}
    try:
        text = json.dumps(answer)
    except (TypeError, ValueError) as error:
        raise TypeError("the result has no form in JSON: " + str(error))
except BaseException as error:
    kind, message = type(error).__name__, str(error)
    shown = [f for f in traceback.extract_tb(error.__traceback__) if f[0] != "<string>"]
    lines = traceback.format_list(shown) + traceback.format_exception_only(type(error), error)
    text = json.dumps({"type": kind, "message": message, "traceback": "".join(lines)})
with open(request["answer"], "w", encoding="utf-8") as file:
    file.write(text)
"""
