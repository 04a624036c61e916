"""`sacct -o JobID,State,NodeList --parsable2 -j ID ...` out of what the controller still knows."""

import subprocess
import sys

words = sys.argv[1:]
wanted = {words[i + 1].split("_")[0] for i, word in enumerate(words) if word == "-j"}
print("JobID|State|NodeList")
shown = subprocess.run(["scontrol", "-o", "show", "job"], capture_output=True, text=True, check=False).stdout
for line in shown.splitlines():
    fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
    array, task = fields.get("ArrayJobId"), fields.get("ArrayTaskId", "")
    job = array or fields.get("JobId")
    if job is None or (wanted and job not in wanted):
        continue
    if array:
        job = f"{array}_{task}" if task.isdigit() else f"{array}_[{task}]"
    print(f"{job}|{fields.get('JobState', 'UNKNOWN')}|{fields.get('NodeList', '')}")
