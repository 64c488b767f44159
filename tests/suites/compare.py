"""compare.py RUN TRY KNOWN WORK - compares WORK/RUN.results with WORK/bare.first, case by case.

Keeps what was seen so far in WORK/RUN.seen, so that a case that is tried again has all its results. Prints what there
is to say with ": " before it, and "SAME DIFFERENT KNOWN" as the last line. Status: 0 nothing differs but what is known,
1 something does, 4 what differs should be tried again: WORK/RUN.again names it."""
import fnmatch
import json
import os
import sys

RUN, TRY, KNOWN, WORK = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]


def results(name):
    found = {}
    with open(os.path.join(WORK, name), encoding="utf-8", errors="replace") as lines:
        for line in lines:
            case, tab, result = line.rstrip("\n").rpartition("\t")
            if tab:
                # One case may be told several times (subtests): the worst counts.
                found[case] = min(found.get(case, result), result)
    return found


def known():
    if not os.path.exists(KNOWN):
        return
    with open(KNOWN, encoding="utf-8") as lines:
        for line in lines:
            fields, _, reason = line.partition(" # ")
            if fields.strip() and not line.startswith("#"):
                run, case, result = fields.split()
                yield run, case, result, reason.strip()


def main():
    seen_file = os.path.join(WORK, RUN + ".seen")
    first = TRY == 1
    if first:
        bare, this = results("bare.first"), results(RUN + ".results")
        seen = {case: [[bare.get(case, "missing")], [this.get(case, "missing")]] for case in {**bare, **this}}
    else:
        with open(seen_file, encoding="utf-8") as lines:
            seen = json.load(lines)
        for index, now in enumerate((results("bare.results"), results(RUN + ".results"))):
            for case, result in now.items():
                seen.setdefault(case, [["missing"], ["missing"]])[index].append(result)
    with open(seen_file, "w", encoding="utf-8") as out:
        json.dump(seen, out)

    same, different, expected = 0, [], []
    for case, (bare, this) in sorted(seen.items()):
        if set(bare) & set(this):
            same += 1
            if len(set(bare) | set(this)) > 1:
                print(f": # {RUN}: unsteady: {case}: bare {' '.join(bare)}, here {' '.join(this)}")
            continue
        for run, pattern, result, reason in known():
            if fnmatch.fnmatch(RUN, run) and fnmatch.fnmatch(case, pattern) and fnmatch.fnmatch(this[-1], result):
                expected.append(f": skip: {RUN}: {case}: {this[-1]}, bare {bare[-1]}: {reason}")
                break
        else:
            different.append(case)
    for line in expected:
        print(line)
    print(f": # {RUN}: {same} of {len(seen)} cases as without portshim")
    for case in different:
        print(f": not ok - {RUN}: {case}: {' '.join(seen[case][1])}, without portshim {' '.join(seen[case][0])}")
    print(same, len(different), len(expected))
    if different and TRY < 3:
        with open(os.path.join(WORK, RUN + ".again"), "w", encoding="utf-8") as out:
            out.write("".join(case + "\n" for case in different))
        sys.exit(4)
    sys.exit(1 if different else 0)


main()
