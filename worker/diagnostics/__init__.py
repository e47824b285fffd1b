"""Rules that watch a training: functions of what is measured to the symptom of a fault.

A rule is registered with facts for the catalogue: the moments `when` it runs (`Moment` of
`view`), the `reasons` of the checklist that it covers, the rules that can be its `causes`,
and a `demo`: a specification that has the fault, with its healthy `twin`. A rule is silent
while a cause that it is `covered_by` is open.
"""
