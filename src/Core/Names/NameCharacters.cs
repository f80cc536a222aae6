namespace ZfsSnapshotManager.Core.Names;

/// <summary>
/// The characters that one component of a ZFS name may have (<c>valid_char</c> in OpenZFS's <c>zfs_namecheck.c</c>).
/// </summary>
internal static class NameCharacters
{
    public static char? FirstInvalid(string component)
    {
        foreach (var c in component)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.' or ':' or ' '))
                return c;
        }

        return null;
    }
}
