using System.Collections;
using ZfsSnapshotManager.Core.Manifests;
using ZfsSnapshotManager.Server.Catalogue;

namespace ZfsSnapshotManager.Server.Uploads.Parts;

/// <summary>The parts of an upload as its manifest describes them, read from the catalogue each time.</summary>
internal sealed class PartsOfUpload(PartCatalogue parts, string uploadId, int count) : IReadOnlyCollection<StoredPart>
{
    public int Count => count;

    public IEnumerator<StoredPart> GetEnumerator() => parts.Walk(uploadId).Select(PartsJoin.Describe).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
