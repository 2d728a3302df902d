"""The invented province is plausible, is the same for the same seed, and sets the traps it is meant to set."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from survey.synthetic.people import HEAD, Commune, Province, make


def test_it_has_the_size_of_the_province_that_was_hai_duong(province: Province) -> None:
    households = int((province.size > 0).sum())
    assert 1_800_000 < province.people < 2_000_000
    assert 520_000 < households < 600_000
    assert province.people / households == pytest.approx(3.4, abs=0.1)
    assert len(province.ea_commune) == 5_500
    assert province.ea_dwellings.min() > 25
    assert 95 < province.ea_dwellings.mean() < 110


def test_people_belong_to_the_household_and_the_area_that_hold_them(province: Province) -> None:
    assert province.first[-1] + province.size[-1] == province.people
    assert (np.bincount(province.household, minlength=province.dwellings) == province.size).all()
    assert (np.bincount(province.dwelling_ea) == province.ea_dwellings).all()
    heads = province.first[province.size > 0]
    assert (province.relationship[heads] == HEAD).all()
    assert int((province.relationship == HEAD).sum()) == len(heads)
    assert (province.age[heads] >= 18).all(), "every household has somebody aged 15 and over to be drawn"


def test_ages_and_households_are_plausible(province: Province) -> None:
    under_15 = province.age < 15
    assert under_15.mean() == pytest.approx(0.24, abs=0.01)
    assert (province.age >= 60).mean() == pytest.approx(0.14, abs=0.03)
    assert (province.sex == 1).mean() == pytest.approx(0.51, abs=0.01)
    lived_in = province.size > 0
    with_children = np.zeros(province.dwellings, dtype=bool)
    with_children[province.household[under_15]] = True
    assert 0.4 < 1 - with_children[lived_in].mean() < 0.6
    only_old = lived_in.copy()
    only_old[province.household[province.age < 60]] = False
    assert 0.08 < only_old[lived_in].mean() < 0.16


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_target_is_a_close_call_and_the_denominator_decides_it(
    seed: int, communes: tuple[Commune, ...]
) -> None:
    province = make(communes, seed)
    adult = province.age >= 15
    holds = province.pays_electronically
    assert holds.mean() == pytest.approx(0.52, abs=0.01)
    assert holds[adult].mean() == pytest.approx(0.67, abs=0.012)
    assert 0 < holds[~adult].mean() < 0.05, "few children hold an account, but some do"
    assert province.smartphone[adult].mean() == pytest.approx(0.85, abs=0.01)


def test_possessions_follow_one_another(province: Province) -> None:
    assert (province.smartphone <= province.owns_mobile).all()
    assert (province.data_package <= province.smartphone).all()
    assert (province.uses_4g <= province.data_package).all()
    assert (province.bank_electronic <= province.bank).all()
    assert (province.wallet <= province.smartphone).all()
    assert (province.home_fixed <= province.home_internet).all()
    assert not province.home_internet[province.size == 0].any()


def test_neighbours_are_alike_so_that_clusters_cost_precision(province: Province) -> None:
    """Intraclass correlation of the main variable among adults of one area (analysis of variance estimator)."""
    adult = (province.age >= 15) & ~province.urban[province.household]
    y = province.pays_electronically[adult].astype(float)
    area = province.dwelling_ea[province.household[adult]]
    n = np.bincount(area)
    total = np.bincount(area, y)[n > 0]
    n = n[n > 0]
    between = (n * (total / n - y.mean()) ** 2).sum() / (len(n) - 1)
    within = (y.sum() - (total**2 / n).sum()) / (n.sum() - len(n))
    typical = (n.sum() - (n**2).sum() / n.sum()) / (len(n) - 1)
    assert 0.03 < (between - within) / (between + (typical - 1) * within) < 0.08


def test_the_same_seed_makes_the_same_province_and_another_seed_another(
    communes: tuple[Commune, ...],
) -> None:
    one, same, other = (make(communes, seed, areas=200) for seed in (3, 3, 4))
    for field in dataclasses.fields(Province):
        assert np.array_equal(getattr(one, field.name), getattr(same, field.name)), field.name
    assert one.people != other.people


def test_too_few_areas_are_refused(communes: tuple[Commune, ...]) -> None:
    with pytest.raises(ValueError, match="at least 128"):
        make(communes, seed=1, areas=100)
