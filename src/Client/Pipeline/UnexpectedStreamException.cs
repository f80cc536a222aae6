using ZfsSnapshotManager.Core;

namespace ZfsSnapshotManager.Client.Pipeline;

/// <summary><c>zfs send</c> began a stream that the plan does not allow; none of it left this machine.</summary>
internal sealed class UnexpectedStreamException(ExpectedStream expected, string difference)
    : OperationException(
        ExitCode.Conflict,
        $"zfs send began another stream of {expected.Snapshot.Name} than planned: {difference}. Nothing of it was sent "
            + "to the server.",
        "The dataset may have been renamed or replaced while it was backed up: run the command again. "
            + $"'zfs get guid,encryption {expected.Snapshot.Name.Dataset}' shows what it is now."
    );
