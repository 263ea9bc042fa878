import { Body, Controller, Get, Patch, Query } from '@nestjs/common';
import { ApiConsumes, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../access/actor';
import { Can } from '../access/can.decorator';
import { CurrentCaller } from '../access/current-actor.decorator';
import type { Page } from '../common/page.dto';
import { ApiPage } from '../http/api-page.decorator';
import { ApiProblem } from '../http/api-problem.decorator';
import { IdParam } from '../http/id-param.decorator';
import { IfMatch } from '../http/if-match.decorator';
import { AccountDto, ListAccountsQuery, UpdateAccountDto } from './account.dto';
import { AccountsService } from './accounts.service';

@Controller('v1/platform/accounts')
@ApiTags('platform')
export class AccountsController {
  constructor(private readonly accounts: AccountsService) {}

  @Get()
  @ApiOperation({ operationId: 'listAccounts', summary: 'List the accounts of all people' })
  @Can('read-accounts', 'Platform')
  @ApiPage(AccountDto)
  list(@Query() query: ListAccountsQuery): Promise<Page<AccountDto>> {
    return this.accounts.list(query);
  }

  @Get(':accountId')
  @ApiOperation({ operationId: 'readAccount', summary: 'Read an account' })
  @Can('read-accounts', 'Platform')
  @ApiOkResponse({ type: AccountDto })
  read(@IdParam('accountId') id: string): Promise<AccountDto> {
    return this.accounts.read(id);
  }

  @Patch(':accountId')
  @ApiOperation({
    operationId: 'updateAccount',
    summary: 'Rename, disable or enable an account, or give it a new password',
  })
  @Can('update-accounts', 'Platform')
  @ApiConsumes('application/json', 'application/merge-patch+json')
  @ApiOkResponse({ type: AccountDto })
  @ApiProblem('last_administrator', 'weak_password', 'own_password')
  update(
    @CurrentCaller() caller: Caller,
    @IdParam('accountId') id: string,
    @IfMatch() version: number | undefined,
    @Body() input: UpdateAccountDto,
  ): Promise<AccountDto> {
    return this.accounts.update(caller, id, version, input);
  }
}
