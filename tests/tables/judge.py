#!/usr/bin/env python3
"""What Mesquite makes of tables, judged by DuckDB.

    tests/tables/judge.py BINARY

Each test makes a table by chance, lets Mesquite work on it, on threads and on processes, and
asks DuckDB for the same, or to read what was saved. Needs `duckdb` of PyPI, and no network.
"""

import decimal
import os
import random
import subprocess
import sys
import tempfile
import unittest

import duckdb

MASTERS = ["local[2]", "local-cluster[2,2,512]"]

# What people have in their columns: signs that mean something in names of files, in patterns,
# in CSV and in JSON, and other scripts.
ODD = ["", "a/b", "100%", "k=v", "a b", "*", "[x]", "q'q", 'd"d', "süß", "日本", "..", "x,y", "-", "0", "\\n", "#", "a:b"]

binary = ""


class Judged(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory(prefix="mesquite-judged-")
        self.addCleanup(made.cleanup)
        self.folder = made.name
        self.duckdb = duckdb.connect()
        self.addCleanup(self.duckdb.close)
        self.random = random.Random(self.id())

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, lines):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)

    def run_on(self, master, job):
        """Runs a job file in the test's folder."""
        self.write("job.toml", [job])
        command = [binary, "run", "job.toml", "--master", master, "-q"]
        ended = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def saved(self, to):
        """The lines of a save, in order."""
        lines = []
        for name in sorted(os.listdir(self.path(to))):
            if name.startswith("part-"):
                with open(os.path.join(self.path(to), name), encoding="utf-8") as file:
                    lines += file.read().splitlines()
        return lines

    def rows(self, query):
        return self.duckdb.execute(query).fetchall()

    def table(self, name, columns):
        """How DuckDB reads lines whose fields end with tabs."""
        columns = ", ".join(f"'{column}': '{kind}'" for column, kind in columns.items())
        return (
            f"read_csv('{self.path(name)}', columns = {{{columns}}}, header = false, delim = '\\t',"
            " quote = '', escape = '', nullstr = '\x01', auto_detect = false)"
        )

    def test_folders_of_values_are_columns(self):
        values = [it for it in ODD if "\\" not in it]
        rows = [
            (self.random.choice(values), self.random.choice(values), str(number))
            for number in range(2_000)
        ]
        self.write("rows", map("\t".join, rows))
        for master in MASTERS:
            for compress, suffix in [("", ""), ('compress = { format = "zstd", level = 3 }', ".zst"), ('compress = "gzip"', ".gz")]:
                self.run_on(master, f"""
                    [dataset.rows]
                    text = ["rows"]
                    split = "8k"
                    [[action]]
                    save = "rows"
                    to = "saved"
                    overwrite = true
                    partition_by = ["first", "second one"]
                    {compress}
                """)
                read = self.rows(f"""
                    select "first", "second one", number from read_csv('{self.path("saved")}/*/*/part-*{suffix}',
                      columns = {{'number': 'VARCHAR'}}, header = false, auto_detect = false, hive_partitioning = true,
                      hive_types_autocast = false)
                """)
                # Hive's name for what is not there.
                read = [tuple("" if it in (None, "__HIVE_DEFAULT_PARTITION__") else it for it in row) for row in read]
                self.assertEqual(sorted(read), sorted(rows), (master, compress))

    def test_measures_by_key(self):
        def number():
            scale = self.random.randrange(5)
            return decimal.Decimal(self.random.randrange(-10**9, 10**9)).scaleb(-scale)

        rows = [(self.random.choice(ODD), f"{number():f}", self.random.choice(ODD)) for _ in range(20_000)]
        self.write("rows", map("\t".join, rows))
        table = self.table("rows", {"k": "VARCHAR", "n": "DECIMAL(28, 4)", "t": "VARCHAR"})
        wanted = self.rows(f"""
            select k, count(*), sum(n), min(n), max(n), count(distinct t), count(distinct n), avg(n) from {table} group by k
        """)
        wanted = {key: values for key, *values in wanted}
        for master in MASTERS:
            self.run_on(master, """
                [dataset.rows]
                text = ["rows"]
                split = "64k"
                [dataset.measured]
                from = "rows"
                aggregate_by_key = { values = ["count", "sum", "min", "max", { count_distinct = 3 }, "mean"], partitions = 3 }
                [[action]]
                save = "measured"
                to = "saved"
                overwrite = true
            """)
            lines = [line.split("\t") for line in self.saved("saved")]
            self.assertEqual(len(lines), len(wanted))
            for key, count, total, least, most, texts, mean in lines:
                theirs = wanted[key]
                exact = [decimal.Decimal(it) for it in (count, total, least, most, texts)]
                self.assertEqual(exact, theirs[:5], key)
                self.assertAlmostEqual(float(mean) / theirs[6], 1.0, places=12, msg=key)

    def test_joins(self):
        def side(name):
            rows = [(f"k{self.random.randrange(300)}", f"{name}{number}") for number in range(500)]
            self.write(name, map("\t".join, rows))
            return self.table(name, {"k": "VARCHAR", name: "VARCHAR"})

        left, right = side("l"), side("r")
        for kind in ["inner", "left", "right", "full"]:
            wanted = self.rows(f"""
                select coalesce(a.k, b.k), coalesce(l, ''), coalesce(r, '') from {left} a {kind} join {right} b on a.k = b.k
            """)
            for master in MASTERS:
                self.run_on(master, f"""
                    [dataset.left]
                    text = ["l"]
                    split = "1k"
                    [dataset.right]
                    text = ["r"]
                    [dataset.both]
                    from = "left"
                    join = {{ with = "right", kind = "{kind}", partitions = 3 }}
                    [[action]]
                    save = "both"
                    to = "saved"
                    overwrite = true
                """)
                lines = [tuple(line.split("\t")) for line in self.saved("saved")]
                self.assertEqual(sorted(lines), sorted(wanted), (kind, master))

    def test_orders_and_the_largest(self):
        rows = [(f"k{self.random.randrange(40)}", str(self.random.randrange(-500, 500))) for _ in range(5_000)]
        self.write("rows", map("\t".join, rows))
        table = self.table("rows", {"k": "VARCHAR", "n": "BIGINT"})
        # What is equal is ordered by its line, which DuckDB compares by bytes too.
        line = "k || chr(9) || n"
        jobs = [
            ('sort = { by = "value", numeric = true, partitions = 3 }', f"select {line} from {table} order by n, {line}", False),
            ('sort = { by = "key", descending = true, partitions = 3 }', f"select {line} from {table} order by k desc, {line} desc", False),
            ("distinct = true", f"select distinct {line} from {table}", True),
            ("top = 25", f"select {line} from {table} order by n desc, {line} desc limit 25", True),
            ("top = { count = 3, per_key = true, partitions = 2 }",
             f"select {line} from {table} qualify row_number() over (partition by k order by n desc, {line} desc) <= 3", True),
        ]
        for operation, query, in_any_order in jobs:
            wanted = [row[0] for row in self.rows(query)]
            for master in MASTERS:
                self.run_on(master, f"""
                    [dataset.rows]
                    text = ["rows"]
                    split = "8k"
                    [dataset.made]
                    from = "rows"
                    {operation}
                    [[action]]
                    save = "made"
                    to = "saved"
                    overwrite = true
                """)
                lines = self.saved("saved")
                if in_any_order:
                    lines, wanted = sorted(lines), sorted(wanted)
                self.assertEqual(lines, wanted, (operation, master))

    def test_fields_of_csv_and_json_that_duckdb_wrote(self):
        rows = [(self.random.choice(ODD), self.random.choice(ODD), number) for number in range(1_000)]
        self.duckdb.execute("create table t (a VARCHAR, b VARCHAR, n BIGINT)")
        self.duckdb.executemany("insert into t values (?, ?, ?)", rows)
        wanted = sorted("\t".join([str(n), b, a]) for a, b, n in rows)
        self.duckdb.execute(f"copy t to '{self.path('t.csv')}' (header true)")
        self.duckdb.execute(f"copy (select {{'b': b}} as inner, a, n from t) to '{self.path('t.jsonl')}' (format json)")
        for master in MASTERS:
            for text, fields in [
                ('text = ["t.csv"]\nskip_header = true', 'csv = { columns = ["a", "b", "n"], fields = ["n", "b", "a"] }'),
                ('text = ["t.jsonl"]', 'jsonl = { fields = ["n", "inner.b", "a"] }'),
            ]:
                self.run_on(master, f"""
[dataset.rows]
{text}
[dataset.made]
from = "rows"
{fields}
[[action]]
save = "made"
to = "saved"
overwrite = true
                """)
                self.assertEqual(sorted(self.saved("saved")), wanted, (fields, master))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: tests/tables/judge.py BINARY")
    binary = os.path.abspath(sys.argv.pop())
    unittest.main()
