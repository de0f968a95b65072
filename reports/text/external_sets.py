"""Sentences on external sets, for a methods section."""

from reports.systems.run_folder import Run, listing, manifest_records, section


def external_sentences(run: Run) -> list[str]:
    """What was tested on besides: which set, and how many of its crops.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    list[str]
        One for each external set and subset.
    """
    sentences = []
    for one in manifest_records(run.manifest, "external"):
        cited = f" ({one['citation']})" if one.get("citation") else ""
        rows = run.external[run.external["external"] == one.get("name")]
        for subset in section(one, "tested"):
            used = rows[rows["subset"].isin(map(str, listing(section(one, "tested"), subset)))]
            counted = f"{len(used)} crops, {int(used['label'].sum())} of them positive"
            patients = used["group_id" if "group_id" in used else "patient_id"].nunique()
            of = f", of {patients} patients" if one.get("patient_ids") else ""
            sentences.append(
                f"External set {one.get('name')} for subset {subset}: {one.get('title')}{cited}, "
                f"{counted}{of}."
            )
    return sentences
