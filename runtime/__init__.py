"""The ATE runtime's contracts: protocol tables, plugin interfaces, STDF. Valid on a real bench; no simulation here.

Never imports ``drycell.sim`` or ``drycell.plugins_sim``.
"""
