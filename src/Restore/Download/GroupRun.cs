using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Advanced;

namespace ZfsSnapshotManager.Restore.Download;

/// <summary>Consecutive groups of parts, and the states of the stream before and after them.</summary>
/// <param name="After">Null after the last group.</param>
internal sealed record GroupRun(PartRange Range, ParserState Before, ParserState? After);
