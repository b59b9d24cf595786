using System.CommandLine;
using System.CommandLine.Help;

namespace Coherency.Packaging.Manual;

/// <summary>
/// Pages of programs by their command lines. A command with options has a page of its own, <c>program-command</c>; its own commands, and
/// those without options, are described on the page above them.
/// </summary>
internal static class CommandPages
{
    /// <param name="program">How it is called.</param>
    /// <param name="section">Of the manual: 1 or 8.</param>
    /// <returns>Pages by their files' names, as <c>coherencyd-serve.8</c>.</returns>
    public static Dictionary<string, string> Describe(string program, int section, RootCommand root, ManualRelease release)
    {
        Dictionary<string, string> pages = new() { [$"{program}.{section}"] = Page(program, section, [program], root, release) };
        foreach (Command command in Shown(root.Subcommands).Where(HasPage))
        {
            string name = $"{program}-{command.Name}";
            pages[$"{name}.{section}"] = Page(name, section, [program, command.Name], command, release);
        }

        return pages;
    }

    private static string Page(string name, int section, string[] words, Command command, ManualRelease release)
    {
        Roff page = new(name, section, FirstSentence(Lowered(command.Description!)), release);
        page.Section("SYNOPSIS");
        page.Markup(Synopsis(words, command));
        page.Section("DESCRIPTION");
        page.Text($"{command.Description!.TrimEnd('.')}.");
        DescribeArguments(page, command);
        if (DescribedOptions(command).Any())
        {
            page.Section("OPTIONS");
            DescribeOptions(page, command);
        }

        if (Shown(command.Subcommands).Any())
        {
            page.Section("COMMANDS");
            foreach (Command part in Shown(command.Subcommands))
            {
                DescribePart(page, name, section, part, command is RootCommand);
            }
        }

        page.Verbatim(Resources.Read($"{name}.{section}"));
        return page.ToString();
    }

    private static void DescribePart(Roff page, string above, int section, Command command, bool mayHavePage)
    {
        page.Subsection($"\"{command.Name}{string.Concat(command.Arguments.Select(argument => $" {ValueOf(argument)}"))}\"");
        page.Text($"{command.Description!.TrimEnd('.')}.");
        if (mayHavePage && HasPage(command))
        {
            page.Markup($"See {Roff.Bold($"{above}-{command.Name}")}({section}).");
            return;
        }

        DescribeArguments(page, command);
        DescribeOptions(page, command);
    }

    private static void DescribeArguments(Roff page, Command command)
    {
        foreach (Argument argument in command.Arguments.Where(argument => argument.Description is { Length: > 0 }))
        {
            page.Tagged(Roff.Italic(argument.Name), $"{argument.Description}.");
        }
    }

    private static void DescribeOptions(Roff page, Command command)
    {
        foreach (Option option in DescribedOptions(command))
        {
            page.Tagged(Term(option), $"{option.Description!.TrimEnd('.')}.{Standard(option)}");
        }
    }

    /// <summary>Those of the command itself: an option that is taken further down, too, is described where it was added.</summary>
    private static IEnumerable<Option> DescribedOptions(Command command) =>
        command.Options.Where(option => !option.Hidden && option is not (HelpOption or VersionOption));

    private static bool HasPage(Command command) => DescribedOptions(command).Any();

    private static IEnumerable<Command> Shown(IEnumerable<Command> commands) => commands.Where(command => !command.Hidden);

    private static string Synopsis(string[] words, Command command) => string.Join(' ', [
        .. words.Select(Roff.Bold),
        .. DescribedOptions(command).Any() ? [$"[{Roff.Italic("OPTION")}...]"] : Array.Empty<string>(),
        .. command.Arguments.Select(argument => Roff.Italic(argument.Name)),
        .. Shown(command.Subcommands).Any() ? [$"{Roff.Italic("COMMAND")} ..."] : Array.Empty<string>(),
    ]);

    private static string Term(Option option)
    {
        string names = string.Join(", ", option.Aliases.Append(option.Name).OrderBy(name => name.Length).Select(Roff.Bold));
        return ValueOf(option) is { Length: > 0 } value
            ? option.Arity.MinimumNumberOfValues == 0 && option.ValueType == typeof(string)
                ? $"{names} [{Roff.Italic(value)}]"
                : $"{names} {Roff.Italic(value)}"
            : names;
    }

    private static string ValueOf(Option option) =>
        option.ValueType == typeof(bool) || option.Arity.MaximumNumberOfValues == 0
            ? ""
            : Choices(option.ValueType) ?? option.HelpName ?? option.Name.TrimStart('-').ToUpperInvariant();

    private static string ValueOf(Argument argument) => Choices(argument.ValueType) ?? argument.Name;

    private static string? Choices(Type type) =>
        (Nullable.GetUnderlyingType(type) ?? type) is { IsEnum: true } choice
            ? string.Join('|', Enum.GetNames(choice).Select(Lowered))
            : null;

    /// <summary>Of choices only: a number's may be this machine's.</summary>
    private static string Standard(Option option) =>
        option.HasDefaultValue && option.ValueType.IsEnum ? $" {Lowered($"{option.GetDefaultValue()}")} when not given." : "";

    private static string Lowered(string text) => char.ToLowerInvariant(text[0]) + text[1..];

    private static string FirstSentence(string text) => text.Split(". ")[0].TrimEnd('.');
}
