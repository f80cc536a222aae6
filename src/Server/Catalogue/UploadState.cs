namespace ZfsSnapshotManager.Server.Catalogue;

/// <summary>
/// How far an upload is. A state is written before the step that it announces, so that recovery knows what may have
/// been done of it (docs/decisions/0039). A committed upload has no state: its row ends with the commit.
/// </summary>
internal enum UploadState
{
    /// <summary>
    /// Its stream is being received, or may be resumed. What is stored of it has no name of a backup yet.
    /// </summary>
    Receiving,

    /// <summary>All of it is stored and verified. Objects, manifest or snapshot may exist under their names.</summary>
    Committing,

    /// <summary>It was dropped, and what is stored of it is being removed. No request finds it.</summary>
    Abandoned,
}

internal static class UploadStates
{
    public static string ToText(this UploadState state) =>
        state switch
        {
            UploadState.Committing => "committing",
            UploadState.Abandoned => "abandoned",
            _ => "receiving",
        };

    /// <exception cref="InvalidDataException">It is not known.</exception>
    public static UploadState Parse(string text) =>
        text switch
        {
            "receiving" => UploadState.Receiving,
            "committing" => UploadState.Committing,
            "abandoned" => UploadState.Abandoned,
            _ => throw new InvalidDataException($"'{text}' is not a state of an upload"),
        };
}
