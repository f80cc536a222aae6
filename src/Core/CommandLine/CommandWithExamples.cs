using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>A command whose <c>--help</c> ends with examples.</summary>
public sealed class CommandWithExamples(string name, string description, params string[] examples)
    : Command(name, description)
{
    public IReadOnlyList<string> Examples { get; } = examples;

    /// <summary>Creates a <c>help</c> command that prints the same as <c>--help</c>.</summary>
    public static CommandWithExamples Help(RootCommand root)
    {
        var help = new CommandWithExamples("help", "Show this help.");
        help.SetAction(_ => root.Parse("--help").Invoke());
        return help;
    }

    internal static void ShowExamples(RootCommand root)
    {
        var option = root.Options.OfType<HelpOption>().Single();
        option.Action = new HelpWithExamples((HelpAction)option.Action!);
    }

    private sealed class HelpWithExamples(HelpAction help) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            var result = help.Invoke(parseResult);
            if (parseResult.CommandResult.Command is not CommandWithExamples { Examples.Count: > 0 } verb)
                return result;
            var output = parseResult.InvocationConfiguration.Output;
            output.WriteLine("Examples:");
            foreach (var example in verb.Examples)
                output.WriteLine($"  {example}");
            output.WriteLine();
            return result;
        }
    }
}
