"""The `survey` command: one verb for each chore. Each verb's work lives in its own module; here is only the wording."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from survey import __version__
from survey.problems import SurveyError, tell

_Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit code. A person sees what is wrong and what to do, never a traceback."""
    # Our matrices are small: threads of linear algebra wait for one another more than they help, twice as long on a busy
    # machine, and the last digits of a sum would depend on how many there are. Read when NumPy is loaded, by the verbs.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parser = _parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        parser.print_help()
        return 2
    try:
        return int(options.run(options) or 0)
    except SurveyError as problem:
        tell(problem)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="survey",
        description="Khảo sát hộ, ước lượng và kết luận về mục tiêu số. "
        "Household survey, estimates and verdicts on digital targets.",
    )
    parser.add_argument("--version", action="version", version=f"survey {__version__}")
    verbs = parser.add_subparsers(title="việc · verbs", metavar="")

    _authoring(verbs)
    _sampling(verbs)
    _running(verbs)
    _publishing(verbs)
    _keeping(verbs)
    _showing(verbs)
    return parser


def _authoring(verbs: _Verbs) -> None:
    """Verbs for writing a questionnaire: checking it, seeing it, taking it from and to other tools."""
    check = verbs.add_parser(
        "check", help="kiểm tra thư mục khảo sát · check a survey folder, all mistakes at once"
    )
    check.add_argument("folder", type=Path)
    check.set_defaults(run=_check)

    schema = verbs.add_parser(
        "schema", help="ghi JSON Schema cho trình soạn thảo · write JSON Schemas for editors"
    )
    schema.add_argument("--out", type=Path, default=Path("schema"))
    schema.set_defaults(run=_schema)

    preview = verbs.add_parser(
        "preview", help="xem thử phiếu hỏi khi soạn · try a questionnaire while writing it"
    )
    preview.add_argument("folder", type=Path, help="survey folder, or a questionnaire.yaml")
    preview.add_argument("--port", type=int, default=8001)
    preview.set_defaults(run=_preview)

    paper = verbs.add_parser("paper", help="in phiếu giấy (PDF) · print the questionnaire (PDF)")
    codebook = verbs.add_parser("codebook", help="ghi sổ mã biến số · write the codebook (PDF or CSV)")
    for verb, run, name in ((paper, _paper, "questionnaire.pdf"), (codebook, _codebook, "codebook.pdf")):
        verb.add_argument("folder", type=Path, help="survey folder, or a questionnaire.yaml")
        verb.add_argument("--out", type=Path, default=Path(name))
        verb.add_argument("--languages", nargs="*", default=(), metavar="LANGUAGE", help="for example: vi en")
        verb.set_defaults(run=run)

    bring = verbs.add_parser(
        "import-xlsform", help="nhập phiếu XLSForm (ODK, Kobo) · bring in an XLSForm, with a fidelity report"
    )
    bring.add_argument("file", type=Path, help=".xlsx, .xlsm, .xls, .csv, .md")
    bring.add_argument("--out", type=Path, required=True, help="the survey folder to write")
    bring.add_argument("--repair", action="store_true", help="apply the repairs that the report suggests")
    bring.add_argument("--language", default="", help="language of a form that does not say it: vi, en, …")
    bring.set_defaults(run=_import_xlsform)

    give = verbs.add_parser(
        "export-xlsform", help="xuất phiếu sang XLSForm cho ODK, Kobo · write an XLSForm for ODK and Kobo"
    )
    give.add_argument("folder", type=Path, help="survey folder, or a questionnaire.yaml")
    give.add_argument("--out", type=Path, required=True, help="the .xlsx to write")
    give.set_defaults(run=_export_xlsform)


def _sampling(verbs: _Verbs) -> None:
    """Verbs for before field work: what a sample can say, drawing it, loading it."""
    plan = verbs.add_parser(
        "plan", help="cỡ mẫu, lực, phân bổ · what a sample will be able to say, before field work"
    )
    plan.add_argument("folder", type=Path)
    plan.add_argument("--response", type=float, help="share of drawn households that answer (0.85)")
    plan.add_argument("--correlation", type=float, help="intraclass correlation within an area (0.05)")
    plan.add_argument("--weight-cv", type=float, help="coefficient of variation of the weights (0.6)")
    plan.add_argument("--cost-of-area", type=float, help="cost of reaching one area, in any money (10)")
    plan.add_argument("--cost-of-interview", type=float, help="cost of one interview there (1)")
    plan.add_argument("--release", type=Path, help="release of an earlier round: what it measured is used")
    plan.add_argument("--strata", type=Path, help="CSV: stratum, households, share; compares allocations")
    plan.add_argument("--chart", type=Path, default=Path("plan.svg"), help="where the chart is written")
    plan.set_defaults(run=_plan)

    classify = verbs.add_parser(
        "classify",
        help="xếp xã cao hay thấp, không ước lượng (LQAS, tuần tự) · is a commune high or low, without an estimate",
    )
    classify.add_argument(
        "--low", type=float, required=True, help="at this share or less a place is low (0.5)"
    )
    classify.add_argument(
        "--high", type=float, required=True, help="at this share or more a place is high (0.65)"
    )
    classify.add_argument(
        "--alpha", type=float, default=0.05, help="chance of calling a low place high (0.05)"
    )
    classify.add_argument(
        "--beta", type=float, default=0.05, help="chance of calling a high place low (0.05)"
    )
    classify.add_argument("--take", type=int, default=1, help="interviews in one cluster (1)")
    classify.add_argument("--correlation", type=float, default=0.0, help="of people of one cluster (0)")
    classify.add_argument("--sequential", action="store_true", help="may be looked at after every answer")
    heard = classify.add_mutually_exclusive_group()
    heard.add_argument("--answers", type=Path, help="CSV in order of arrival: place, has (1 or 0), cluster")
    heard.add_argument(
        "--survey",
        type=Path,
        nargs=2,
        metavar=("FOLDER", "FROZEN"),
        help="a frozen survey; with --sequential",
    )
    classify.add_argument("--indicator", help="of the survey's analysis.yaml, with --survey")
    classify.add_argument("--out", type=Path, help="write the classes as CSV")
    classify.set_defaults(run=_classify)

    sample = verbs.add_parser("sample", help="chọn mẫu hai giai đoạn · draw the two-stage sample")
    sample.add_argument("folder", type=Path)
    sample.add_argument("--frame", type=Path, required=True, help="CSV: one row for each enumeration area")
    sample.add_argument(
        "--listing", type=Path, help="CSV: one row for each listed household; without it only areas are drawn"
    )
    sample.add_argument("--seed", type=int, required=True)
    sample.add_argument("--out", type=Path, required=True)
    sample.set_defaults(run=_sample)

    load = verbs.add_parser("load", help="nạp mẫu vào cơ sở dữ liệu · load a sample: cases, codes, officials")
    load.add_argument("folder", type=Path)
    load.add_argument("sample", type=Path)
    load.add_argument("--database", default="sqlite:///survey.sqlite")
    load.add_argument(
        "--codes", type=Path, default=Path("codes.csv"), help="where the household codes are written"
    )
    load.set_defaults(run=_load)


def _running(verbs: _Verbs) -> None:
    """Verbs for field work: accounts, drafts, the web application."""
    account = verbs.add_parser(
        "account", help="tạo tài khoản · create an account for an official or statistician"
    )
    account.add_argument("name")
    account.add_argument(
        "--role",
        choices=("official", "supervisor", "manager", "statistician", "auditor", "administrator"),
        required=True,
    )
    account.add_argument("--communes", nargs="*", default=(), help="assign the cases of these communes")
    account.add_argument("--database", default="sqlite:///survey.sqlite")
    account.set_defaults(run=_account)

    recover = verbs.add_parser(
        "recover", help="mất mật khẩu, mất điện thoại · a lost password or phone: a new password"
    )
    recover.add_argument("name")
    recover.add_argument("--database", default="sqlite:///survey.sqlite")
    recover.set_defaults(run=_recover)

    moving = verbs.add_parser(
        "move-drafts",
        help="chuyển phiếu dở dang sang bản phiếu mới · move drafts to the corrected questionnaire",
    )
    moving.add_argument("--database", default="sqlite:///survey.sqlite")
    moving.add_argument("--apply", action="store_true", help="move them; without it only the report is made")
    moving.add_argument(
        "--ask-again",
        nargs="*",
        default=(),
        metavar="QUESTION",
        help="ask these anew even where the answer still fits",
    )
    moving.add_argument("--out", type=Path, help="write the report as JSON")
    moving.set_defaults(run=_move_drafts)

    serve = verbs.add_parser("serve", help="chạy ứng dụng web · run the web application")
    serve.add_argument("folder", type=Path)
    serve.add_argument("--database", default="sqlite:///survey.sqlite")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--results", type=Path, default=None, help="folder of a release whose site is shown")
    serve.add_argument("--https", action="store_true", help="the site is reached over https: secure cookies")
    serve.add_argument("--metrics", action="store_true", help="show figures for Prometheus at /metrics")
    serve.add_argument(
        "--demonstration", action="store_true",
        help="no second step of signing in; taken only with a synthetic survey",
    )  # fmt: skip
    serve.add_argument(
        "--proxy", nargs="+", default=("127.0.0.1", "::1"), metavar="ADDRESS",
        help="reverse proxies whose X-Forwarded-For is believed: addresses or networks",
    )  # fmt: skip
    serve.add_argument(
        "--requests-a-minute", type=int, default=6000, metavar="N",
        help="what one network may ask for, without files of the pages; 0: as much as it likes",
    )  # fmt: skip
    serve.set_defaults(run=_serve)


def _publishing(verbs: _Verbs) -> None:
    """Verbs for from the answers to the figures."""
    freeze = verbs.add_parser("freeze", help="đóng băng số liệu ra Parquet · freeze the answers to Parquet")
    freeze.add_argument("folder", type=Path)
    freeze.add_argument("--database", default="sqlite:///survey.sqlite")
    freeze.add_argument("--out", type=Path, required=True)
    freeze.set_defaults(run=_freeze)

    release = verbs.add_parser(
        "release", help="gia quyền, ước lượng, kết luận · weight, estimate, decide, publish"
    )
    release.add_argument("folder", type=Path)
    release.add_argument("frozen", type=Path)
    release.add_argument("--out", type=Path, required=True)
    release.add_argument(
        "--previous",
        type=Path,
        nargs="*",
        default=(),
        help="folders of all earlier releases of this round: numbered, changes listed, nothing told by subtraction",
    )
    release.add_argument(
        "--rounds",
        type=Path,
        nargs="*",
        default=(),
        help="releases of earlier rounds: the change since is shown",
    )
    release.add_argument("--embargo", default="", help="not public before, e.g. 2027-12-20T09:00+07:00")
    release.add_argument(
        "--sign", type=Path, metavar="KEY", help="sign with this key file; made the first time"
    )
    release.set_defaults(run=_release)

    genuine = verbs.add_parser(
        "verify-release", help="kiểm tra bản công bố · check every file and the signature of a release"
    )
    genuine.add_argument("release", type=Path)
    genuine.add_argument(
        "--public-key", type=Path, help="the office's key (manifest.pub), had from elsewhere"
    )
    genuine.set_defaults(run=_verify_release)


def _keeping(verbs: _Verbs) -> None:
    """Verbs for keeping the data: backups, proofs, the law's clocks, keys."""
    keys = argparse.ArgumentParser(add_help=False)
    keys.add_argument("--database", default="sqlite:///survey.sqlite")
    keys.add_argument("--key", type=Path, default=Path("backup.key"), help="key file; made the first time")

    backup = verbs.add_parser(
        "backup", parents=[keys], help="sao lưu, mã hóa, khi đang chạy · encrypted backup while running"
    )
    backup.add_argument("--out", type=Path, required=True)
    backup.set_defaults(run=_backup)

    restore = verbs.add_parser(
        "restore", parents=[keys], help="phục hồi vào cơ sở dữ liệu trống · restore into an empty database"
    )
    restore.add_argument("backup", type=Path)
    restore.set_defaults(run=_restore)

    verify = verbs.add_parser(
        "verify", help="tính lại mọi câu trả lời, kiểm tra nhật ký · recompute every response, walk the audit"
    )
    verify.add_argument("--database", default="sqlite:///survey.sqlite")
    verify.add_argument("--noted", nargs="*", default=(), help="audit heads that were noted down earlier")
    verify.set_defaults(run=_verify)

    retention = verbs.add_parser(
        "retention", help="xóa dữ liệu hết hạn lưu · delete what the plan says must go by now"
    )
    retention.add_argument("--database", default="sqlite:///survey.sqlite")
    retention.add_argument("--apply", action="store_true", help="delete; without it only the report is made")
    retention.set_defaults(run=_retention)

    for verb, about in (
        ("register", "sổ đăng ký xử lý dữ liệu cá nhân · the register of processing that the law asks for"),
        (
            "assess",
            "đánh giá tác động xử lý dữ liệu · the impact assessment, to be completed by the organiser",
        ),
    ):
        asked = verbs.add_parser(verb, help=about)
        asked.add_argument("folder", type=Path, help="survey folder")
        asked.add_argument("--language", choices=("vi", "en"), default="vi")
        asked.add_argument("--out", type=Path, help="Markdown file; without it the text is printed")
        asked.set_defaults(run=_processing, document=verb)

    trail = verbs.add_parser(
        "audit", help="kiểm tra nhật ký · is the audit log whole? changed, deleted and moved lines are named"
    )
    trail.add_argument("deed", choices=("verify",))
    trail.add_argument("--database", default="sqlite:///survey.sqlite")
    trail.add_argument("--noted", nargs="*", default=(), help="heads that were noted down earlier")
    trail.set_defaults(run=_audit)

    migrate = verbs.add_parser(
        "migrate", help="nâng cấu trúc cơ sở dữ liệu · bring the schema up to this version"
    )
    migrate.add_argument("--database", default="sqlite:///survey.sqlite")
    migrate.set_defaults(run=_migrate)

    rotate = verbs.add_parser(
        "keys", help="đổi khóa dữ liệu, đổi khóa gốc · change the data key, exchange the secret that seals it"
    )
    rotate.add_argument("deed", choices=("rotate", "exchange"))
    rotate.add_argument("--database", default="sqlite:///survey.sqlite")
    rotate.add_argument(
        "--new-key",
        type=Path,
        help="exchange: file of the new secret; by default it takes the place of the key file",
    )
    rotate.set_defaults(run=_keys)


def _showing(verbs: _Verbs) -> None:
    """Verbs for everything in one command."""
    demo = verbs.add_parser(
        "demo", help="từ mẫu đến kết luận, dữ liệu mô phỏng · sample to verdict, synthetic data"
    )
    demo.add_argument("--seed", type=int, default=2025)
    demo.add_argument("--out", type=Path, default=Path("out/demo"))
    demo.add_argument("--no-serve", dest="serve", action="store_false")
    demo.add_argument("--port", type=int, default=8000)
    demo.set_defaults(run=_demo)


# Imports stand inside the verbs: `survey --help` must not load the statistics.


def _check(options: argparse.Namespace) -> int:
    from survey.folder import check

    findings = check(options.folder)
    for finding in findings:
        print(finding.line("vi"))
        print("    " + finding.line("en"))
    errors = sum(finding.severity == "error" for finding in findings)
    print(f"{options.folder}: {errors} lỗi, {len(findings) - errors} cảnh báo · "
          f"{errors} errors, {len(findings) - errors} warnings")  # fmt: skip
    return 1 if errors else 0


def _import_xlsform(options: argparse.Namespace) -> int:
    from survey.xlsform.importing import import_folder

    fidelity = import_folder(options.file, options.out, options.repair, options.language)
    print(fidelity.text("vi"))
    print()
    print(fidelity.text("en"))
    print(f"{options.out / 'fidelity.json'}")
    return 0 if fidelity.imported else 1


def _export_xlsform(options: argparse.Namespace) -> None:
    from survey.folder import questionnaire_at
    from survey.xlsform.exporting import export_form

    export_form(questionnaire_at(options.folder), options.out)
    print(options.out)


def _schema(options: argparse.Namespace) -> None:
    from survey.folder import write_schemas

    for path in write_schemas(options.out):
        print(path)


def _preview(options: argparse.Namespace) -> None:
    from survey.preview import serve

    serve(options.folder, options.port)


def _paper(options: argparse.Namespace) -> None:
    from survey.folder import questionnaire_at
    from survey.paper import paper

    options.out.write_bytes(paper(questionnaire_at(options.folder), options.languages))
    print(options.out)


def _codebook(options: argparse.Namespace) -> None:
    from survey.codebook import as_csv, as_pdf
    from survey.folder import questionnaire_at

    questionnaire = questionnaire_at(options.folder)
    if options.out.suffix == ".csv":
        options.out.write_text(as_csv(questionnaire, options.languages), encoding="utf-8-sig")
    else:
        options.out.write_bytes(as_pdf(questionnaire, options.languages))
    print(options.out)


def _plan(options: argparse.Namespace) -> None:
    from dataclasses import fields, replace

    from survey.folder import Folder
    from survey.planning import Assumptions, chart, measured, prospect, read_release, show

    guess = Assumptions()
    if options.release:
        guess = measured(read_release(options.release), guess)
    said = {one.name: getattr(options, one.name, None) for one in fields(Assumptions)}
    guess = replace(guess, **{name: value for name, value in said.items() if value is not None})
    found = prospect(Folder.read(options.folder), guess, options.strata)
    show(found)
    for language, path in (("vi", options.chart), ("en", options.chart.with_suffix(".en.svg"))):
        path.write_text(chart(found, language), encoding="utf-8")
        print(path)


def _classify(options: argparse.Namespace) -> None:
    from survey import classify
    from survey.folder import Folder

    question = classify.Question(
        low=options.low, high=options.high, alpha=options.alpha, beta=options.beta,
        take=options.take, correlation=options.correlation,
    )  # fmt: skip
    classify.check(question)
    names: dict[str, str] = {}
    heard = classify.read_answers(options.answers) if options.answers else None
    if options.survey:
        if not (options.sequential and options.indicator):
            raise classify.NotClassified(
                {
                    "vi": "--survey cần --sequential và --indicator: số phỏng vấn của một cuộc khảo sát không đúng bằng một lô.",
                    "en": "--survey needs --sequential and --indicator: a survey does not make exactly one lot of interviews.",
                }
            )
        folder = Folder.read(options.survey[0])
        names = classify.place_names(folder)
        heard = classify.heard_of(folder, options.survey[1], options.indicator)
    decide = classify.one_by_one if options.sequential else classify.by_lots
    found = None if heard is None else decide(question, heard)
    classify.show(question, found, one_at_a_time=options.sequential, names=names)
    if options.out and found is not None:
        classify.write(question, found, options.out, one_at_a_time=options.sequential, names=names)
        print(options.out)


def _sample(options: argparse.Namespace) -> None:
    from survey.draw import sample, show
    from survey.folder import Folder

    show(sample(Folder.read(options.folder), options.frame, options.listing, options.out, options.seed))


def _load(options: argparse.Namespace) -> None:
    from survey.loading import load_sample

    load_sample(options.folder, options.sample, options.database, options.codes)


def _letters(options: argparse.Namespace) -> None:
    from survey.folder import Folder
    from survey.letters import write_letters

    count = write_letters(Folder.read(options.folder), options.codes, options.url, options.out)
    print(f"{options.out}: {count} thư · letters")


def _account(options: argparse.Namespace) -> None:
    from survey.loading import create_account

    create_account(options.database, options.name, options.role, options.communes)


def _recover(options: argparse.Namespace) -> None:
    from survey.loading import recover_account

    recover_account(options.database, options.name)


def _move_drafts(options: argparse.Namespace) -> None:
    from survey.moving import move_drafts

    move_drafts(options.database, ask_again=options.ask_again, apply=options.apply, out=options.out)


def _serve(options: argparse.Namespace) -> None:
    from survey.serving import serve

    serve(
        options.folder, options.database, options.host, options.port, options.results,
        https=options.https, metrics=options.metrics, proxies=tuple(options.proxy),
        requests_a_minute=options.requests_a_minute, second_step=not options.demonstration,
    )  # fmt: skip


def _freeze(options: argparse.Namespace) -> None:
    from survey.folder import Folder
    from survey.freeze import export
    from survey.storage.database import Database

    with Database.open(options.database) as database:
        manifest = export(database, Folder.read(options.folder), options.out, "cli", os.cpu_count() or 1)
    print(
        f"{options.out}: {manifest.cases} hộ trong mẫu, {manifest.complete} hộ trả lời đủ, {manifest.persons} người · "
        f"{manifest.cases} sampled households, {manifest.complete} complete, {manifest.persons} people"
    )


def _release(options: argparse.Namespace) -> None:
    from survey.folder import Folder
    from survey.publication.terminal import show
    from survey.publish import release

    show(
        release(
            Folder.read(options.folder), options.frozen, options.out,
            previous=options.previous, rounds=options.rounds, embargo=options.embargo, key=options.sign,
        )
    )  # fmt: skip


def _verify_release(options: argparse.Namespace) -> None:
    from survey.publication.sealing import verify

    found, fingerprint = verify(options.release, options.public_key)
    count = len(found.files)
    print(
        f"{found.survey}, số {found.number}: {count} tệp còn nguyên · release {found.number}: {count} files unchanged"
    )
    if fingerprint:
        print(f"Khóa ký · signed by key {fingerprint}")
    else:
        print("Không có chữ ký · not signed")


def _backup(options: argparse.Namespace) -> int:
    from survey.upkeep import backup

    return min(backup(options.database, options.out, options.key), 1)


def _restore(options: argparse.Namespace) -> int:
    from survey.upkeep import restore

    return min(restore(options.backup, options.database, options.key), 1)


def _verify(options: argparse.Namespace) -> int:
    from survey.upkeep import verify

    return min(verify(options.database, tuple(options.noted)), 1)


def _retention(options: argparse.Namespace) -> None:
    import datetime

    from survey.retention import retain

    retain(options.database, datetime.date.today(), apply=options.apply)


def _processing(options: argparse.Namespace) -> None:
    from survey import processing
    from survey.folder import Folder

    write = processing.register if options.document == "register" else processing.assessment
    text = write(Folder.read(options.folder), options.language)
    if options.out is None:
        print(text)
    else:
        options.out.write_text(text, encoding="utf-8")
        print(options.out)


def _audit(options: argparse.Namespace) -> int:
    from survey.upkeep import verify_audit

    return min(verify_audit(options.database, tuple(options.noted)), 1)


def _migrate(options: argparse.Namespace) -> None:
    from survey.upkeep import migrate

    migrate(options.database)


def _keys(options: argparse.Namespace) -> None:
    from survey.upkeep import exchange_key, rotate_keys

    if options.deed == "exchange":
        exchange_key(options.database, options.new_key)
    else:
        rotate_keys(options.database)


def _demo(options: argparse.Namespace) -> None:
    from survey.demo import run

    run(seed=options.seed, out=options.out, serve=options.serve, port=options.port)


if __name__ == "__main__":
    sys.exit(main())
