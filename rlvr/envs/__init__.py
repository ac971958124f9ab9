"""The environments that come with rlvr: data loading and prompts, one file each.

This table is all that's read when rlvr is imported.
"""

from rlvr.core.families import Family
from rlvr.core.registry import EnvironmentSpec
from rlvr.envs.puzzles import PUZZLES


def _built_in(name: str, gym_name: str, summary: str) -> EnvironmentSpec:
    return EnvironmentSpec(name, f"rlvr.envs.{name}:make", gym_name, 0, summary, "rlvr")


def _agent(name: str, gym_name: str, summary: str) -> EnvironmentSpec:
    return EnvironmentSpec(name, f"rlvr.envs.agents.{name}:make", gym_name, 0, summary, "rlvr")


def _game(name: str, gym_name: str, summary: str) -> EnvironmentSpec:
    return EnvironmentSpec(name, f"rlvr.envs.games.{name}:make", gym_name, 0, summary, "rlvr")


def _puzzle(name: str, summary: str) -> EnvironmentSpec:
    gym_name = "".join(word.capitalize() for word in name.split("_"))
    return EnvironmentSpec(name, f"rlvr.envs.puzzles.{name}:make", gym_name, 0, summary, "rlvr")


BUILT_IN = (
    _built_in("arithmetic", "Arithmetic", "Sums, differences and products in five levels"),
    _built_in("aime", "AIME", "The American Invitational Mathematics Examination, 2024 and 2025"),
    _built_in(
        "browser", "Browser", "Work in web applications, judged by the state they are left in"
    ),
    _built_in("code", "Code", "Any problems for programs with tests; Codeforces by default"),
    _agent("code_agent", "CodeAgent", "Programs that are run and tested before they are submitted"),
    _built_in("code_repair", "CodeRepair", "Programs in several attempts, with public tests' say"),
    _built_in("gsm8k", "GSM8K", "Grade-school word problems (Cobbe et al. 2021)"),
    _built_in("humaneval", "HumanEval", "Python functions to be completed (Chen et al. 2021)"),
    _built_in(
        "ifbench", "IFBench", "Instructions of 58 kinds beyond IFEval's (Pyatkin et al. 2025)"
    ),
    _built_in("ifeval", "IFEval", "Instructions that a program can check (Zhou et al. 2023)"),
    _built_in("if_rlvr", "IFRLVR", "Composed instructions for any prompts, in one turn or several"),
    _built_in("math", "MATH", "Any problems with answers; MATH by default (Hendrycks et al. 2021)"),
    _agent(
        "math_python", "MathPython", "Any problems in mathematics, with a Python to compute with"
    ),
    _built_in("math500", "MATH500", "The 500 problems of MATH held out by Lightman et al. (2023)"),
    _built_in("bird", "BIRD", "Questions over large databases, with hints (Li et al. 2023)"),
    _built_in("spider", "Spider", "Questions over databases of many domains (Yu et al. 2018)"),
    _built_in("terminal", "Terminal", "Work in a shell, judged by the files that it leaves"),
    _built_in("shop", "Shop", "Orders whose prices must be asked for with tools, in five levels"),
    _built_in("support", "Support", "A support desk: rules, tools, and a customer who answers"),
    _built_in("ledgers", "Ledgers", "Sums over ledgers that only sub-agents can read"),
    _built_in("sql", "SQL", "Any questions with a gold query and an SQLite database"),
    _built_in("sql_explore", "SQLExplore", "Questions over a database that may be looked at first"),
    _built_in(
        "search_qa", "SearchQA", "Questions answered by search, with citations, in five levels"
    ),
    _game("connect_four", "ConnectFour", "Connect four against an opponent, in five levels"),
    _game("negotiation", "Negotiation", "Dividing a pool with another player, in five levels"),
    _built_in("mbpp", "MBPP", "Small Python functions, the sanitized part (Austin et al. 2021)"),
    *(_puzzle(name, summary) for name, summary in PUZZLES.items()),
)

FAMILIES = (
    Family(
        "slice",
        "rlvr.envs.slices",
        "Slice",
        "The tasks of an environment with one value of a key: slice/math:metadata.type=Algebra",
    ),
    Family(
        "tasks",
        "rlvr.envs.task_rows",
        "Tasks",
        "Any environment with the tasks of a file: tasks/arithmetic, with data=FILE",
    ),
    Family(
        "reasoning_gym",
        "rlvr.envs.reasoning_gym",
        "ReasoningGym",
        "Generated tasks of the library reasoning-gym (Stojanovski et al. 2025), scored strictly",
    ),
)
