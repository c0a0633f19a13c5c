#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry part of a `gild inject --dry-run --json` as .reg scripts for hivexregedit.

usage: plan2reg.py PLAN.json OUTPUT-FOLDER    makes OUTPUT-FOLDER/HIVE.reg
"""
import json
import sys

NUMBERS = {"REG_NONE": 0, "REG_SZ": 1, "REG_EXPAND_SZ": 2, "REG_BINARY": 3, "REG_DWORD": 4,
           "REG_MULTI_SZ": 7, "REG_QWORD": 11}


def data_of(kind, text):
    """The bytes of a value from the plan's text form."""
    if kind in (1, 2):
        return (text + "\0").encode("utf-16le", "surrogatepass")
    if kind == 7:
        items = text.split("|") if text else []
        return ("".join(i + "\0" for i in items) + "\0").encode("utf-16le", "surrogatepass")
    if kind == 4:
        return int(text, 16).to_bytes(4, "little")
    return bytes.fromhex(text)


def main():
    plan_file, folder = sys.argv[1:]
    with open(plan_file, encoding="utf-8") as f:
        plan = json.load(f)
    hives = {}
    for change in plan["trees"][0]["registry"]:
        lines = hives.setdefault(change["hive"], ["Windows Registry Editor Version 5.00"])
        key = change["key"].strip("\\")
        if change["action"] == "delete_key":
            lines += ["", f"[-\\{key}]"]
            continue
        lines += ["", f"[\\{key}]"]
        if change["action"] == "create_key":
            continue
        name = change["name"].replace("\\", "\\\\").replace('"', '\\"')
        name = f'"{name}"' if name else "@"
        if change["action"] == "delete_value":
            lines.append(f"{name}=-")
            continue
        kind = NUMBERS[change["type"]] if change["type"] in NUMBERS else int(change["type"], 16)
        hexes = ",".join(f"{b:02x}" for b in data_of(kind, change["data"]))
        lines.append(f"{name}=hex({kind:x}):{hexes}")
    for hive, lines in hives.items():
        with open(f"{folder}/{hive}.reg", "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")


main()
