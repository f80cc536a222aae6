using System.Reflection;
using System.Text.RegularExpressions;
using ZfsSnapshotManager.Server.Events;

namespace ZfsSnapshotManager.UnitTests.Documentation;

/// <summary>docs/server.md lists every event, and no other.</summary>
public sealed partial class EventDocumentationTests
{
    [Fact]
    public void Every_event_is_in_the_table_of_the_audit_log()
    {
        var section = DocumentFiles.Read("docs/server.md").Split("## The audit log")[1].Split("\n## ")[0];
        var documented = RowPattern()
            .Matches(section)
            .SelectMany(row => NamePattern().Matches(row.Groups["names"].Value))
            .Select(name => name.Groups["name"].Value);
        var events = typeof(ServerEvents)
            .GetFields(BindingFlags.Public | BindingFlags.Static)
            .Select(field => (string)field.GetRawConstantValue()!);

        Assert.Equal(events.Order(StringComparer.Ordinal), documented.Order(StringComparer.Ordinal));
    }

    [GeneratedRegex(
        @"^\| (?<names>`[a-z_]+\.[^|]*) \|",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking
    )]
    private static partial Regex RowPattern();

    [GeneratedRegex("`(?<name>[a-z_.]+)`", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex NamePattern();
}
