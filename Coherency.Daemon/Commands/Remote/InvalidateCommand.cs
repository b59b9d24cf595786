using System.CommandLine;
using Coherency.Admin.V1;
using Coherency.Daemon.Configuration;
using AdminClient = Coherency.Admin.V1.Admin.AdminClient;

namespace Coherency.Daemon.Commands.Remote;

/// <summary><c>coherencyd admin invalidate</c>: makes guests ask anew.</summary>
internal sealed class InvalidateCommand : AdminSubcommand
{
    private readonly Argument<string?> _path = new("PATH") { Description = "Relative to the share", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<bool> _recursive = new("--recursive") { Description = "Whatever is below the path too" };
    private readonly Option<bool> _all = new("--all") { Description = "Everything, instead of a path" };
    private readonly Option<string?> _share = new("--share")
    {
        Description = "The share of the path, where there are several; with --all, only its guests",
        HelpName = "DIR",
    };
    private readonly Option<string?> _guest;

    public InvalidateCommand(AdminOptions options)
        : base("invalidate", "Make guests ask anew for a path, or for everything", options)
    {
        _guest = options.GuestOption("With --all: only this guest");
        Arguments.Add(_path);
        foreach (Option option in (Option[])[_recursive, _all, _share, _guest])
        {
            Options.Add(option);
        }
    }

    protected override async Task<int> RunAsync(ParseResult parsed, AdminClient daemon, AdminOutput output, CancellationToken cancellation)
    {
        string share = parsed.GetValue(_share) ?? "";
        string? guest = parsed.GetValue(_guest);
        bool recursive = parsed.GetValue(_recursive);
        switch (parsed.GetValue(_path), parsed.GetValue(_all))
        {
            case (string path, false) when guest is null:
                InvalidatePathRequest one = new() { Path = path.Trim('/'), Share = share, Recursive = recursive };
                output.Print(
                    await daemon.InvalidatePathAsync(one, Within(cancellation)).ConfigureAwait(false),
                    response => AdminOutput.PrintLine(
                        response.SlotsMoved == 0
                            ? "too many slots: the guests of the share ask anew for everything"
                            : $"{Wording.Of(response.SlotsMoved)} slots moved"));
                return ExitCodes.Success;
            case (null, true) when !recursive:
                InvalidateAllRequest all = new() { Share = share, Guest = guest ?? "" };
                output.Print(
                    await daemon.InvalidateAllAsync(all, Within(cancellation)).ConfigureAwait(false),
                    response => AdminOutput.PrintLine($"{Wording.Of(response.Guests)} guests ask anew"));
                return ExitCodes.Success;
            default:
                throw new UsageException("give PATH, which --recursive goes with, or --all, which --guest goes with");
        }
    }
}
