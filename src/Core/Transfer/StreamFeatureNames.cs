using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Core.Transfer;

public static class StreamFeatureNames
{
    /// <summary>The features one by one; a bit without a name shows as its number.</summary>
    public static IReadOnlyList<string> Names(this StreamFeatures features) =>
        features == StreamFeatures.None ? [] : features.ToString().Split(", ");
}
