"""An invented province that behaves like a real one: for demonstrations, tests and simulations, never for results.

`people` makes the province (communes, enumeration areas, dwellings, households, persons and what is true of them);
`answers` says what each person would answer to each question; `behaviour` says who answers online, whom officials
find at home and who refuses; `truth` computes what a survey of it should find.

No person, address or figure here is real. Only the names of the communes are. Everything written carries
`LABEL`, and the same seed makes the same province.
"""

LABEL = {
    "vi": "DỮ LIỆU MÔ PHỎNG: tỉnh, hộ và số liệu đều do máy tạo ra, không phải kết quả điều tra thật.",
    "en": "SYNTHETIC DATA: the province, its households and all figures are generated, not real survey results.",
}
