"""What the law asks a controller to hold ready, written from the survey folder: the register of processing (`survey
register`) and the impact assessment (`survey assess`, Law 91/2025/QH15, Articles 21 and 22: due within 60 days of the first
processing; competent state agencies are exempt under 21.6, and keep one all the same).

Both say what the software does by its own tables: the plan, the questionnaire's sensitivity, who may do what. What only the
organiser knows stays a bracket to be filled in, and is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from survey.access import policy, rights
from survey.folder import Folder
from survey.problems import Text
from survey.questionnaire.codebook import variables
from survey.retention import due
from survey.web.words import long_date, word

LARGE = 100_000
"""Data subjects from which Article 38 of the Law speaks of large-scale processing."""
RISKS: tuple[tuple[Text, Text], ...] = (
    (
        {"vi": "Người trong xã xem được câu trả lời của hàng xóm", "en": "Somebody in the commune reads a neighbour's answers"},
        {"vi": "Phiếu đã gửi đóng lại với cấp xã; giám sát chỉ thấy tiến độ; mã cấp lại không mở phần đã trả lời",
         "en": "Answers that were sent are closed to the commune; supervisors see progress alone; a code given in place of another opens nothing earlier"},
    ),
    (
        {"vi": "Người ngoài đoán mã của hộ", "en": "A stranger guesses a household's code"},
        {"vi": "Mã 67 bit ngẫu nhiên, đếm số lần thử sai theo mạng", "en": "67 random bits; wrong codes are counted by network"},
    ),
    (
        {"vi": "Mất máy chủ, bản sao lưu hay điện thoại", "en": "A server, a backup or a phone is lost"},
        {"vi": "Địa chỉ, câu trả lời và ảnh được mã hóa bằng khóa để ngoài cơ sở dữ liệu; bản sao lưu mã hóa; điện thoại báo mất tự xóa",
         "en": "Addresses, answers and pictures are sealed by a key outside the database; backups are encrypted; a phone reported lost forgets everything"},
    ),
    (
        {"vi": "Nhận ra một người qua số liệu công bố", "en": "A published figure tells about somebody"},
        {"vi": "Ô nhỏ bị giấu, cả ô bù; bản công bố không có bản ghi cá nhân", "en": "Small cells and those that would give them away are suppressed; releases hold no records"},
    ),
    (
        {"vi": "Dữ liệu giữ lâu hơn cần thiết", "en": "Data are kept longer than needed"},
        {"vi": "Lệnh survey retention xóa thật theo thời hạn, hủy khóa nối địa chỉ với câu trả lời",
         "en": "survey retention deletes for good by the days named here, and destroys the key that links addresses to answers"},
    ),
    (
        {"vi": "Trẻ em trả lời mà không ai đồng ý", "en": "A child answers without anybody's consent"},
        {"vi": "Người chưa đủ tuổi chỉ trả lời khi chính người đó và cha mẹ hoặc người giám hộ cùng đồng ý; survey check từ chối phiếu thiếu câu hỏi này",
         "en": "Whoever is under age answers only if that person and a parent or guardian agree; survey check refuses a form without that question"},
    ),
    (
        {"vi": "Người bên trong làm sai rồi xóa dấu vết", "en": "Somebody inside does wrong and hides it"},
        {"vi": "Nhật ký chỉ ghi thêm, nối bằng mã băm: survey audit verify", "en": "An append-only log chained by hashes: survey audit verify"},
    ),
)  # fmt: skip
WORDS: dict[str, Text] = {
    "register": {"vi": "Sổ đăng ký hoạt động xử lý dữ liệu cá nhân", "en": "Register of personal data processing"},
    "assess": {"vi": "Đánh giá tác động xử lý dữ liệu cá nhân", "en": "Impact assessment of personal data processing"},
    "who": {"vi": "Bên kiểm soát và người phụ trách", "en": "Controller and contact"},
    "basis": {"vi": "Cơ sở pháp lý", "en": "Legal basis"},
    "consent": {"vi": "Sự đồng ý của người trả lời, từng mục đích", "en": "Consent, purpose by purpose"},
    "state_19_1_c": {"vi": "Nhiệm vụ của cơ quan nhà nước, Luật 91/2025/QH15, Điều 19.1(c)", "en": "A state agency's task, Law 91/2025/QH15, Article 19.1(c)"},
    "purposes": {"vi": "Mục đích", "en": "Purposes"},
    "people": {"vi": "Người có dữ liệu", "en": "People concerned"},
    "households": {"vi": "hộ được chọn ngẫu nhiên", "en": "households chosen at random"},
    "large": {"vi": "dưới mức quy mô lớn 100.000 người (Điều 38)", "en": "below the large scale of 100,000 people (Article 38)"},
    "is_large": {"vi": "quy mô lớn: từ 100.000 người (Điều 38)", "en": "large scale: 100,000 people or more (Article 38)"},
    "minors": {"vi": "Người chưa đủ {n} tuổi: chỉ khi người đó và cha mẹ hoặc người giám hộ cùng đồng ý.", "en": "Under {n}: only if that person and a parent or guardian agree."},
    "fields": {"vi": "Dữ liệu", "en": "Data"},
    "ordinary": {"vi": "thường", "en": "ordinary"},
    "personal": {"vi": "cá nhân", "en": "personal"},
    "sensitive": {"vi": "nhạy cảm (Nghị định 356/2025, Điều 4)", "en": "sensitive (Decree 356/2025, Article 4)"},
    "sealed": {"vi": "mã hóa, ở bảng riêng", "en": "sealed, in a table of its own"},
    "stays": {"vi": "mã hóa, chỉ trong cơ sở dữ liệu", "en": "sealed, in the database only"},
    "frozen": {"vi": "mã hóa trong cơ sở dữ liệu; tệp đóng băng", "en": "sealed in the database; frozen file"},
    "address": {"vi": "địa chỉ, thôn và cột khác của bảng kê", "en": "address, hamlet and further columns of the listing"},
    "field": {"vi": "Trường", "en": "Field"},
    "level": {"vi": "Mức", "en": "Level"},
    "kept": {"vi": "Nơi giữ", "en": "Where kept"},
    "roles": {"vi": "Ai được làm gì", "en": "Who may do what"},
    "role": {"vi": "Vai trò", "en": "Role"},
    "deeds": {"vi": "Việc (phạm vi)", "en": "Deeds (reach)"},
    "times": {"vi": "Thời hạn", "en": "Days"},
    "gone": {"vi": "Địa chỉ và khóa nối bị hủy ngày {a}; câu trả lời bị xóa ngày {b}.", "en": "Addresses and the link key are destroyed on {a}, answers on {b}."},
    "requests": {"vi": "Yêu cầu của người dân: trả lời trong {reply} ngày làm việc; xem, sửa {see} ngày; hạn chế, rút lại {restrict} ngày; xóa {delete} ngày.",
                 "en": "Requests: a reply within {reply} working days; see, correct {see} days; restrict, withdraw {restrict} days; delete {delete} days."},
    "breach": {"vi": "Sự cố có thể gây hại: báo cơ quan chuyên trách trong {n} giờ.", "en": "A breach that may do harm: the authority is told within {n} hours."},
    "transfers": {"vi": "Chuyển dữ liệu", "en": "Transfers"},
    "none": {"vi": "Không có: trang không gọi tới máy chủ nào khác; nơi đặt máy chủ do cơ quan chủ trì ghi: [nơi đặt máy chủ].",
             "en": "None: the pages call no other server; where the server stands is for the organiser to write: [place of the server]."},
    "risks": {"vi": "Rủi ro và biện pháp", "en": "Risks and measures"},
    "risk": {"vi": "Rủi ro", "en": "Risk"},
    "measure": {"vi": "Biện pháp", "en": "Measure"},
    "need": {"vi": "Cần thiết và tương xứng", "en": "Necessity and proportion"},
    "judged": {"vi": "[Cơ quan chủ trì đánh giá: vì sao cần những dữ liệu này, còn rủi ro nào, ai chấp nhận, ngày]",
               "en": "[The organiser's judgement: why these data are needed, which risks are left, who accepts them, date]"},
    "update": {"vi": "Cập nhật sáu tháng một lần khi có thay đổi, trong 10 ngày khi thay đổi lớn (Điều 22).", "en": "To be updated every six months on changes, within 10 days on great ones (Article 22)."},
    "fill": {"vi": "Còn {n} chỗ trong ngoặc vuông [...] cơ quan chủ trì phải điền.", "en": "{n} places in square brackets [...] are left for the organiser to fill in."},
}  # fmt: skip


def register(folder: Folder, language: str) -> str:
    """The register of processing as Markdown."""
    return _document("register", folder, language, _facts(folder, language))


def assessment(folder: Folder, language: str) -> str:
    """The impact assessment as Markdown: the register, and what could go wrong and what stands against it."""
    said = _said(language)
    risks = [
        f"## {said('risks')}", "",
        *_table((said("risk"), said("measure")), ((risk[language], measure[language]) for risk, measure in RISKS)), "",
        f"## {said('need')}", "", said("judged"), "", said("update"), "",
    ]  # fmt: skip
    return _document("assess", folder, language, [*_facts(folder, language), *risks])


def _document(kind: str, folder: Folder, language: str, lines: Iterable[str]) -> str:
    said, body = _said(language), "\n".join(lines)
    title = f"# {said(kind)}: {folder.plan.title.get(language, '')}"
    return f"{title}\n\n{said('fill', n=body.count('['))}\n\n{body}"


def _facts(folder: Folder, language: str) -> list[str]:
    """The sections that both documents have."""
    said, plan, legal = _said(language), folder.plan, folder.plan.legal
    people = plan.sampling.psus * plan.sampling.take
    days = due(plan)
    fields = [(said("address"), said("personal"), said("sealed"))]
    fields += [
        (f"{one.name}: {one.label.get(language, '')}".replace("|", "/"), said(one.sensitivity), said("stays" if one.free else "frozen"))
        for one in variables(folder.questionnaire)
        if one.kind != "calculate"
    ]  # fmt: skip
    roles = (
        (
            word(language, f"role.{role}"),
            ", ".join(f"{action} ({reach})" for action, reach in sorted(grants.items())),
        )
        for role, grants in policy.GRANTS.items()
    )
    clock = rights.DAYS
    return [
        f"## {said('who')}", "", f"{legal.controller[language]} · {legal.contact[language]}", "",
        f"## {said('basis')}", "", said(legal.basis), "", legal.decision[language], "",
        *(f"- {one}" for one in legal.citations), "",
        f"## {said('purposes')}", "",
        *(
            f"- {one.text[language]} ({'; '.join((said(legal.basis_of(one)), *one.citations))})"
            for one in legal.purposes
        ), "",
        f"## {said('people')}", "",
        f"{people} {said('households')}; {said('is_large' if people >= LARGE else 'large')}.", "",
        said("minors", n=legal.minimum_age), "",
        f"## {said('fields')}", "", *_table((said("field"), said("level"), said("kept")), fields), "",
        f"## {said('roles')}", "", *_table((said("role"), said("deeds")), roles), "",
        f"## {said('times')}", "",
        f"- {said('gone', a=long_date(language, str(days.identities)), b=long_date(language, str(days.answers)))}",
        f"- {said('requests', reply=rights.REPLY_WORKING_DAYS, see=clock['see'], restrict=clock['restrict'], delete=clock['delete'])}",
        f"- {said('breach', n=rights.BREACH_HOURS)}", "",
        f"## {said('transfers')}", "", said("none"), "",
    ]  # fmt: skip


def _said(language: str) -> Callable[..., str]:
    """The words of this language, by their key."""

    def said(key: str, **values: object) -> str:
        return WORDS[key][language].format(**values)

    return said


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|" + " --- |" * len(head),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
