"""The faults that come with drycell, by the name that ``do`` says."""

from collections.abc import Mapping

from drycell.sim.faults import files, floor, instrument, link, payload, process
from drycell.sim.faults.base import Fault

PALETTE: Mapping[str, type[Fault]] = {
    # process
    "signal": process.Signal,
    "segfault": process.Segfault,
    "out_of_memory": process.OutOfMemory,
    "exit": process.Exit,
    "teardown_failure": process.TeardownFailure,
    "freeze": process.Freeze,
    "slow_start": process.SlowStart,
    "never_attaches": process.NeverAttaches,
    "orphan": process.Orphan,
    "stderr_flood": process.StderrFlood,
    # link
    "delay": link.Delay,
    "lose": link.Lose,
    "duplicate": link.Duplicate,
    "reorder": link.Reorder,
    "cut": link.Cut,
    "half_open": link.HalfOpen,
    "take_over": link.TakeOver,
    "broker_outage": link.BrokerOutage,
    "slow_link": link.Slow,
    "packet": link.OnePacket,
    # payload
    "truncated": payload.Truncated,
    "malformed": payload.Malformed,
    "wrong_site": payload.WrongSite,
    "wrong_type": payload.WrongType,
    "not_finite": payload.NotFinite,
    "wrong_encoding": payload.WrongEncoding,
    "oversized": payload.Oversized,
    "stale": payload.Stale,
    "replayed": payload.Replayed,
    # instrument and peripheral
    "no_answer": instrument.NoAnswer,
    "late_answer": instrument.LateAnswer,
    "wrong_answer": instrument.WrongAnswer,
    "drift": instrument.Drift,
    "noise": instrument.Noise,
    "stuck": instrument.Stuck,
    "peripheral_silent": instrument.PeripheralSilent,
    "peripheral_late": instrument.PeripheralLate,
    "peripheral_wrong": instrument.PeripheralWrong,
    "peripheral_elsewhere": instrument.PeripheralElsewhere,
    # results and files
    "late_result": files.LateResult,
    "result_before_idle": files.ResultBeforeIdle,
    "missing_records": files.MissingRecords,
    "truncated_records": files.TruncatedRecords,
    "wrong_order": files.WrongOrder,
    "wrong_length": files.WrongLength,
    "duplicated_result": files.DuplicatedResult,
    "wrong_part": files.WrongPart,
    "disk_full": files.DiskFull,
    "read_only_folder": files.ReadOnlyFolder,
    "leftover_file": files.LeftoverFile,
    # floor
    "handler_jam": floor.HandlerJam,
    "double_feed": floor.DoubleFeed,
    "contact_failure": floor.ContactFailure,
    "wrong_lot": floor.WrongLot,
    "master_restart": floor.MasterRestart,
    "tcc_gone": floor.TccGone,
    "operator_resets": floor.OperatorResets,
    "device_changes": floor.DeviceChanges,
}
